"""Coupled learning and contrastive learning: rules that clamp the outputs."""
