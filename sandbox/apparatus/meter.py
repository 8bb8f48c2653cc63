"""What an experiment costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Meter:
    """What an experiment has cost so far.

    Attributes:
        relaxations: of a sample's state (a batch of B counts B times).
        iterations: evaluations of the forces in them.
        linear_solves: with the Hessian, for exact gradients: one for each sample.
        seconds: spent relaxing and solving.
        unstable: phases in which the joint energy of state and stiffness was seen not to be convex: a clamped phase
            met negative curvature, or held stiffnesses were not at a minimum. Lyapunov descent is not promised there;
            lower the compliance, or the nudging.
        at_bounds: stiffnesses that sat at a bound after the last release, or as built.
    """

    relaxations: int = 0
    iterations: int = 0
    linear_solves: int = 0
    seconds: float = 0.0
    unstable: int = 0
    at_bounds: int = 0
