"""Many runs of one scene, over values of its keys and over seeds."""

from sandbox.sweeping.sweep import sweep

__all__ = ["sweep"]
