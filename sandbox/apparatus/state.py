"""All of an apparatus that its next step depends on, as plain data; the rest is a function of the scene."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from sandbox.apparatus.apparatus import Apparatus
from sandbox.apparatus.meter import Meter
from sandbox.errors import RunError
from sandbox.physics.equilibrium import Equilibrium

SAVED = ("stiffness", "knobs", "compliance", "_inputs", "_targets", "_beta", "_gripped", "_state")
"""Attributes saved as they are; meter, rng and the equilibrium at rest are taken apart, and so are the events."""

REST = tuple(f.name for f in fields(Equilibrium) if f.name != "state_error")
"""Attributes saved of the equilibrium at rest: not the estimate of its error, which no step depends on, and which is a
number for some states and not for others."""


def save(apparatus: Apparatus) -> dict[str, Any]:
    """The state of an apparatus."""
    rest = apparatus._settled
    return {
        **{name: getattr(apparatus, name) for name in SAVED},
        "meter": dict(vars(apparatus.meter)),
        "rng": apparatus.rng.bit_generator.state,
        "events": apparatus.events.record(),
        "events step": apparatus.events.step,
        "settled": None if rest is None else {name: getattr(rest, name) for name in REST},
    }


def restore(apparatus: Apparatus, saved: dict[str, Any]) -> None:
    """Put an apparatus that the same scene built into a saved state.

    Raises:
        RunError: if the state is not one of this apparatus.
    """
    try:
        values = {name: saved[name] for name in SAVED}
        meter, rest = Meter(**saved["meter"]), saved["settled"]
        settled = None if rest is None else Equilibrium(**rest)
        _check(apparatus, values, settled)
        apparatus.rng.bit_generator.state = saved["rng"]
        apparatus.events.restore(saved["events"])
        apparatus.events.step = saved["events step"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the checkpoint is not one of this scene's apparatus: {error}") from error
    values["stiffness"].flags.writeable = False  # as it is left by a release
    for name, value in values.items():
        setattr(apparatus, name, value)
    apparatus.meter, apparatus._settled, apparatus._boundary = meter, settled, None


def _check(apparatus: Apparatus, values: dict[str, Any], settled: Equilibrium | None) -> None:
    n, dim = apparatus.system.network.n_nodes, apparatus.system.components
    knobs = (len(apparatus.stiffness),)
    samples = len(values["_inputs"])
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {
        "stiffness": (knobs,),
        "knobs": (knobs,),
        "compliance": (knobs,),
        "_inputs": ((samples, len(apparatus.inputs)),),
        "_targets": tuple((rows, len(apparatus.outputs)) for rows in (1, samples)),
        "_gripped": tuple((rows, len(apparatus.outputs)) for rows in (1, samples)),
    }
    for name, allowed in shapes.items():
        if values[name] is not None and np.shape(values[name]) not in allowed:
            raise ValueError(f"{name.lstrip('_')} has shape {np.shape(values[name])}")
    for state in (values["_state"], None if settled is None else settled.state):
        if state is not None and (state.ndim != 3 or state.shape[1:] != (n, dim)):
            raise ValueError(f"the state has shape {state.shape}")
