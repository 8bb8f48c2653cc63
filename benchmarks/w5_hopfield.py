"""W5: a layered Hopfield network 784-2048-10 in batches of 32, as published with the rule."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sandbox_aeqprop import AEqprop
from sandbox_layered import Hopfield, Layered
from sandbox_layered.system import LayeredSystem, Precision

import sandbox
from benchmarks.floors import product_rate
from benchmarks.timing import Case, Contestant, Phase, module
from benchmarks.workload import Workload

BATCH, BETA = 32, 0.5
RATES = (0.1, 0.02, 0.05, 0.01)
"""Compliances of the first weights and biases, then of the second."""
TOLERANCE = 1e-4
"""On the largest force, relative to the largest one received, of this project's relaxations."""
EXACT = 1e-10
"""The same for the answers that all are compared with."""
THRESHOLD, MOST_SWEEPS = 1e-3, 100
"""Of the published simulation: on the summed change of each layer over the whole batch in a sweep."""
PRODUCTS = 5
"""Of all pictures of a batch with a matrix as large as the first weights, that a batch cannot do without: the sums over
the inputs for inference and for each nudging, whose weights are others, and the forces on the weights in both."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Batches of pictures, x (batches, 32, pixels), one-hot labels y (batches, 32, 10), and the untrained system."""

    system: LayeredSystem
    x: np.ndarray
    y: np.ndarray


def case(size: int, quick: bool) -> Case:
    batches, layers = (2, (64, 128, 10)) if quick else (8, (784, 2048, 10))
    system = _system(layers, "double")
    rng = np.random.default_rng(0)
    # Pictures of ten kinds, each bright on the same 13 % of its pixels but for noise.
    kinds = rng.random((10, layers[0])) < 0.13
    labels = rng.integers(0, 10, (batches, BATCH))
    x = np.where(rng.random((batches, BATCH, layers[0])) < 0.9, kinds[labels], False)
    pictures = np.where(x, rng.uniform(0.3, 1.0, x.shape), 0.0)
    data = Pictures(system, pictures, np.eye(10)[labels])
    exact = {name: phase.run() for name, phase in _bench(data, EXACT).items()}
    once = layers[0] * layers[1] * BATCH / product_rate(np.float32)
    floors = {"inference": once, "batch": PRODUCTS * once}
    return Case(sum(layers), batches, data, floors, references=exact)


def _apparatus(data: Pictures, tolerance: float = TOLERANCE) -> sandbox.Apparatus:
    system = data.system
    inputs, outputs = (sandbox.Terminals.at(system.network.nodes(name)) for name in ("input", "output"))
    compliance = np.empty(len(system.stiffness))
    names = ("weights 1", "biases 1", "weights 2", "biases 2")
    for name, rate in zip(names, RATES, strict=True):
        compliance[system.stiffness_groups[name]] = rate
    return sandbox.Apparatus(system, inputs, outputs, compliance=compliance, tolerance=tolerance)


def _project(precision: Precision) -> Callable[[Case], Mapping[str, Phase]]:
    def prepare(case: Case) -> Mapping[str, Phase]:
        data: Pictures = case.data
        return _bench(replace(data, system=_system(data.system.layers.sizes, precision)), TOLERANCE)

    return prepare


def _system(layers: tuple[int, ...], precision: Precision) -> LayeredSystem:
    rng = np.random.default_rng(0)
    network = Layered(layers=layers).build(rng)
    return Hopfield(gains=(0.8, 1.2), stiffness_relaxations="once", precision=precision).build(network, rng)


def _bench(data: Pictures, tolerance: float) -> Mapping[str, Phase]:
    controller = AEqprop(variant="centered", beta=BETA)

    def epoch() -> np.ndarray:
        apparatus = _apparatus(data, tolerance)
        bench = sandbox.Bench(apparatus)
        for x, y in zip(data.x, data.y, strict=True):
            bench.clamp(x)
            bench.nudge(None, 0.0)
            bench.read()
            controller.step(bench, x, y)
        return apparatus.stiffness - data.system.stiffness

    def inference() -> np.ndarray:
        apparatus = _apparatus(data, tolerance)
        outputs = []
        for x in data.x:
            apparatus.clamp(x)
            outputs.append(apparatus.read())
        return np.array(outputs)

    return _phases(epoch, inference, lambda: _apparatus(data, tolerance))


class Published:
    """The published simulation, in single precision: layers put at their minimum one by one, from output to input where
    nudged; the second phase starts from the free state, and ends with one more sweep and one relaxation of weights.

    Source: Scellier et al. 2022, arXiv:2205.15021, and the simulator that goes with it.

    Args:
        kept: whether what the clamped pictures send is computed once per batch. The published one computes it anew in
            every sweep.
    """

    def __init__(self, torch: Any, system: LayeredSystem, kept: bool) -> None:
        self.torch, self.kept = torch, kept
        groups, theta = system.stiffness_groups, system.stiffness.astype(np.float32)
        sizes = system.layers.sizes
        shapes = {"weights 1": sizes[:2], "biases 1": sizes[1:2], "weights 2": sizes[1:], "biases 2": sizes[2:]}
        self.theta = [torch.from_numpy(theta[groups[name]].reshape(shape).copy()) for name, shape in shapes.items()]
        self.hidden, self.out = (torch.zeros((BATCH, n)) for n in sizes[1:])
        self.drive: Any = None

    def settle(self, x: Any, y: Any, beta: float, backward: bool, most: int = MOST_SWEEPS) -> None:
        """Sweeps until no layer changes by more than the threshold."""
        torch, (w1, b1, w2, b2) = self.torch, self.theta
        if self.kept:
            self.drive = x @ w1 + b1
        for _ in range(most):
            changes = []
            for layer in ("out", "hidden") if backward else ("hidden", "out"):
                if layer == "hidden":
                    received = (self.drive if self.kept else x @ w1 + b1) + self.out @ w2.T
                    new, old = torch.clamp(received, 0.0, 1.0), self.hidden
                else:
                    received = self.hidden @ w2 + b2 + beta * y
                    new, old = torch.clamp(received / (1 + beta), -1.0, 2.0), self.out
                setattr(self, layer, new)
                changes.append((new - old).abs().sum())
            if all(change < THRESHOLD for change in changes):
                break

    def forces(self, x: Any) -> list[Any]:
        """dE/dtheta, mean over the batch."""
        hidden, out = self.hidden, self.out
        return [-(x.T @ hidden) / BATCH, -hidden.mean(0), -(hidden.T @ out) / BATCH, -out.mean(0)]

    def step(self, x: Any, y: Any) -> None:
        """Inference, then the two phases."""
        self.settle(x, y, 0.0, backward=False)
        free = self.hidden, self.out
        self.settle(x, y, -BETA / 2, backward=True)
        knobs = [t + rate * f for t, rate, f in zip(self.theta, RATES, self.forces(x), strict=True)]
        self.hidden, self.out = free
        self.settle(x, y, BETA / 2, backward=True)
        self.settle(x, y, BETA / 2, backward=True, most=1)
        self.theta = [u - rate * f for u, rate, f in zip(knobs, RATES, self.forces(x), strict=True)]


def _published(kept: bool) -> Callable[[Case], Mapping[str, Phase]]:
    def prepare(case: Case) -> Mapping[str, Phase]:
        torch: Any = module("torch")
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        torch.set_grad_enabled(False)
        data: Pictures = case.data
        batches = [
            (torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.float32)))
            for x, y in zip(data.x, data.y, strict=True)
        ]

        def made() -> Published:
            return Published(torch, data.system, kept)

        def epoch() -> np.ndarray:
            net = made()
            for x, y in batches:
                net.step(x, y)
            return np.concatenate([part.numpy().ravel() for part in net.theta]) - data.system.stiffness

        def inference() -> np.ndarray:
            net, outputs = made(), []
            for x, y in batches:
                net.settle(x, y, 0.0, backward=False)
                outputs.append(net.out.numpy())
            return np.array(outputs)

        return _phases(epoch, inference, made)

    return prepare


def _phases(
    epoch: Callable[[], np.ndarray], inference: Callable[[], np.ndarray], baseline: Callable[[], object]
) -> Mapping[str, Phase]:
    return {
        "inference": Phase(inference, baseline, single=True),
        "batch": Phase(epoch, baseline, single=True),
    }


WORKLOAD = Workload(
    key="W5",
    title="a layered Hopfield network 784-2048-10, centered, in batches of 32",
    text="""
The dense network of the published simulation (arXiv:2205.15021): centered, beta = 0.5, one relaxation of the
stiffnesses in each clamped phase, compliances 0.1, 0.05 for weights and 0.02, 0.01 for biases. Eight batches of
synthetic pictures of ten kinds, 12 % of the pixels bright, each phase from the state that the last one left.
*Inference* relaxes without nudging; a *batch* is inference and a learning step. This project: largest force below
1e-4 of the largest one received; states in double or single precision, stiffnesses in double. PyTorch: the published
algorithm, single precision, sweeps until no layer changes by 1e-3 summed over the batch, 100 at most; also with the
product of pictures and weights computed once per batch, which the published one computes in every sweep. The
difference is that of the outputs, or of the change of the stiffnesses over the eight batches, from a run to 1e-10.

Of a batch in double precision, 53 ms of processor time on one thread, four products of states that give the forces on
the first weights take 12 ms, and products of states with weights 12 ms. The rest are passes over states and weights:
some 24 sweeps, each followed by the forces that say whether it was the last, and checks of what a relaxation gives.
Floor: one product of pictures and first weights for inference, five for a batch, in single precision at the speed of
NumPy's product of matrices.
""",
    sizes=(2842,),
    quick=(202,),
    case=case,
    contestants=(
        Contestant("this project", _project("double"), ("matter-sandbox",), ours=True),
        Contestant("this project, single precision", _project("single"), ("matter-sandbox",), ours=True),
        Contestant("PyTorch, as published", _published(kept=False), ("torch",)),
        Contestant("PyTorch, input sums kept", _published(kept=True), ("torch",)),
    ),
    phases={"inference": "inference", "batch": "inference and learning step"},
    agreement=1e-2,
    unit=("ms per batch", 1e3),
)
