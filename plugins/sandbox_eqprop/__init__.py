"""Equilibrium propagation: the contrastive rule that knows how the energy depends on the stiffnesses."""
