"""Learning scenes on which the descent of the Lyapunov function is followed."""

from __future__ import annotations

from typing import Any

from sandbox.build import Setup
from sandbox.scene import read, validate
from sandbox.seeds import stream


def iris(seed: int, **settings: Any) -> Setup:
    """The scene iris_flow: a linear flow network, another flower in every step."""
    return Setup(read("iris_flow", _changes(settings), seed=seed))


def allostery(seed: int, **settings: Any) -> Setup:
    """The scene allostery_elastic, log knobs: another packing and other pairs for each seed."""
    return Setup(read("allostery_elastic", _changes(settings), seed=seed))


def lattice(seed: int, compliance: float = 100.0, beta: float = 1.0, variant: str = "centered") -> Setup:
    """A triangular lattice, springs of different stiffness, where straining one pair is to strain another.

    A pair is the two ends of the long diagonal of a rhombus of four nodes, drawn from the bottom rows and the middle.
    """
    columns, rows = 8, 8
    rng = stream(seed, "pairs")

    def pair(row: int) -> list[int]:
        column = int(rng.integers(1, columns - 1))
        return [row * columns + column, (row + 2) * columns + column]

    data = {
        "seed": seed,
        "network": {"type": "triangular", "shape": [columns, rows]},
        "system": {"type": "spring_lattice", "stiffness": {"low": 0.5, "high": 1.5}},
        "terminals": {"inputs": [pair(0)], "outputs": [pair(rows - 3)]},
        "bench": {"compliance": compliance},
        "task": {"type": "allostery", "source_strain": 0.1, "target_strain": 0.05},
        "controller": {"type": "aeqprop", "beta": beta, "variant": variant},
        "training": {"epochs": 1},
    }
    return Setup(validate(data))


def _changes(settings: dict[str, Any]) -> list[str]:
    place = {"compliance": "bench", "beta": "controller", "variant": "controller"}
    return [f"{place[key]}.{key}={value}" for key, value in settings.items()]
