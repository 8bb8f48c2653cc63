"""Many runs of one scene, over values of its keys and over seeds, and searches for the best values."""

from sandbox.sweeping.search import search
from sandbox.sweeping.sweep import sweep

__all__ = ["search", "sweep"]
