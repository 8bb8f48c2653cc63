"""Matter that learns, on a bench you can touch.

>>> import sandbox
>>> run = sandbox.load("iris_flow").run()      # doctest: +SKIP
>>> sandbox.open(run.folder)                   # doctest: +SKIP

Names are imported when first used: ``import sandbox`` is instant and starts nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sandbox import caches, shown
from sandbox.importing import uncollected

if TYPE_CHECKING:
    from sandbox.apparatus import Apparatus as Apparatus
    from sandbox.bench import Bench as Bench
    from sandbox.bench import WhiteBox as WhiteBox
    from sandbox.exporting import export as export
    from sandbox.hookspecs import Register as Register
    from sandbox.hookspecs import hookimpl as hookimpl
    from sandbox.input_files import input_file as input_file
    from sandbox.interacting import interact as interact
    from sandbox.physics.boundary import Boundary as Boundary
    from sandbox.physics.dynamics import simulate as simulate
    from sandbox.physics.laws.law import EdgeLaw as EdgeLaw
    from sandbox.physics.laws.law import NodeLaw as NodeLaw
    from sandbox.physics.laws.taichi_law import TaichiLaw as TaichiLaw
    from sandbox.physics.material import Material as Material
    from sandbox.physics.network import Network as Network
    from sandbox.plugins import use as use
    from sandbox.replicas import Replicas as Replicas
    from sandbox.results import open_run as open  # noqa: F401
    from sandbox.run import load as load
    from sandbox.run import resume as resume
    from sandbox.sweeping import search as search
    from sandbox.sweeping import sweep as sweep
    from sandbox.terminals import Terminals as Terminals
    from sandbox.viewing import view as view

__version__ = "0.1.0"

_HOMES = {
    "Apparatus": ("sandbox.apparatus", "Apparatus"),
    "Bench": ("sandbox.bench", "Bench"),
    "Boundary": ("sandbox.physics.boundary", "Boundary"),
    "EdgeLaw": ("sandbox.physics.laws.law", "EdgeLaw"),
    "Material": ("sandbox.physics.material", "Material"),
    "Network": ("sandbox.physics.network", "Network"),
    "NodeLaw": ("sandbox.physics.laws.law", "NodeLaw"),
    "Register": ("sandbox.hookspecs", "Register"),
    "Replicas": ("sandbox.replicas", "Replicas"),
    "TaichiLaw": ("sandbox.physics.laws.taichi_law", "TaichiLaw"),
    "Terminals": ("sandbox.terminals", "Terminals"),
    "WhiteBox": ("sandbox.bench", "WhiteBox"),
    "export": ("sandbox.exporting", "export"),
    "hookimpl": ("sandbox.hookspecs", "hookimpl"),
    "input_file": ("sandbox.input_files", "input_file"),
    "interact": ("sandbox.interacting", "interact"),
    "load": ("sandbox.run", "load"),
    "open": ("sandbox.results", "open_run"),
    "search": ("sandbox.sweeping", "search"),
    "resume": ("sandbox.run", "resume"),
    "simulate": ("sandbox.physics.dynamics", "simulate"),
    "sweep": ("sandbox.sweeping", "sweep"),
    "use": ("sandbox.plugins", "use"),
    "view": ("sandbox.viewing", "view"),
}
__all__ = ["__version__", *sorted(_HOMES)]  # pyright: ignore[reportUnsupportedDunderAll]


def _form(thing: object) -> str | None:
    return import_module("sandbox.forms").form(thing)


shown.form = _form
caches.settle()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sandbox' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    with uncollected():
        value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
