"""What is asked of a controller, on a small flow network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, WhiteBox, behind
from sandbox.parts import Controller
from sandbox.physics.graphs import jittered_grid
from sandbox.physics.laws.library import CONDUCTANCE
from sandbox.physics.material import Material
from sandbox.plain import pack, unpack
from sandbox.terminals import Terminals
from sandbox.validation.check import ROUNDING, Check

INPUTS = np.array([[0.0, 1.0], [0.2, 1.0], [0.0, 0.6]])
TARGETS = np.array([[0.3], [0.44], [0.18]])
LOWEST, HIGHEST = 0.05, 3.0


def _bench(part: Controller) -> Bench:
    """Sixteen nodes, two inputs, one output, through the port that the controller asks for."""
    network = jittered_grid(4, seed=2)
    k = np.random.default_rng(4).uniform(0.5, 1.5, network.n_edges)
    material = Material(network, CONDUCTANCE, {"k": k}, bounds=(LOWEST, HIGHEST))
    apparatus = Apparatus(material, Terminals.at([0, 15]), Terminals.at([6]))
    port = WhiteBox if part.port == "white box" else Bench
    return port(apparatus, np.random.default_rng(8))


def _loss(bench: Bench) -> float:
    apparatus = behind(bench)
    with apparatus.unmetered():
        apparatus.nudge(None, 0.0)
        apparatus.clamp(INPUTS)
        return float(0.5 * ((apparatus.read() - TARGETS) ** 2).sum(axis=1).mean())


def learning(part: Controller) -> Iterator[Check]:
    """On samples one by one the loss falls, and stiffnesses keep to their bounds; a batch will do as well."""
    bench = _bench(part)
    first = _loss(bench)
    for step in range(part.trial.steps):
        part.step(bench, INPUTS[step % 3], TARGETS[step % 3])
    yield Check("learning", f"loss after {part.trial.steps} steps, relative to before", _loss(bench) / first, 0.9)
    outside = float(np.maximum(LOWEST - bench.stiffness, bench.stiffness - HIGHEST).max())
    yield Check("learning", "how far stiffnesses leave their bounds", outside, 1e-12)
    bench = _bench(part)
    part.step(bench, INPUTS, TARGETS)
    yield Check(
        "learning", "stiffnesses that are not finite after a batch", float((~np.isfinite(bench.stiffness)).sum()), 0.0
    )


def checkpoints(part: Controller) -> Iterator[Check]:
    """What a checkpoint keeps is plain data, and going on from it gives the same stiffnesses."""
    steady, halted = _bench(part), _bench(part)
    for step in range(3):
        for bench in (steady, halted):
            part.step(bench, INPUTS[step], TARGETS[step])
    text, arrays = pack(part.saved(halted), "saved(bench)")
    saved: dict[str, Any] = unpack(text, arrays.__getitem__)
    halted.notes.clear()
    part.restore(halted, saved)
    for bench in (steady, halted):
        part.step(bench, INPUTS[0], TARGETS[0])
    apart = float(np.abs(steady.stiffness - halted.stiffness).max())
    yield Check("checkpoints", "difference of stiffnesses after going on from a checkpoint", apart, ROUNDING * HIGHEST)


ASPECTS: Mapping[str, Callable[[Controller], Iterator[Check]]] = {"learning": learning, "checkpoints": checkpoints}
