"""Pictures of networks, their deformations and their learning; nothing here touches pyplot."""

from sandbox.plot.animate import animate
from sandbox.plot.chains import draw_chains
from sandbox.plot.curves import draw_curves, learning_curves
from sandbox.plot.deformation import draw_deformation
from sandbox.plot.network import Snapshot, before_after, draw_network
from sandbox.plot.style import COLUMN, PAGE, style
from sandbox.plot.sweeps import draw_grid, draw_spread, draw_trials

__all__ = [
    "COLUMN",
    "PAGE",
    "Snapshot",
    "animate",
    "before_after",
    "draw_chains",
    "draw_curves",
    "draw_deformation",
    "draw_grid",
    "draw_network",
    "draw_spread",
    "draw_trials",
    "learning_curves",
    "style",
]
