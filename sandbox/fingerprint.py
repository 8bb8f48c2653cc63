"""Fingerprint of what a run's numbers come from, part by part, so that a difference can be named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from sandbox.build import Setup
from sandbox.errors import RunError
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.material import Material
from sandbox.plugins import OWN, plugins


def fingerprint(setup: Setup) -> dict[str, str]:
    """Digest each thing that a scene builds, and the sources of other people's plugins that build it, by SHA-256.

    They are functions of the scene, but for files and packages that they come from.
    """
    scene, network, system = setup.scene, setup.network, setup.system
    groups = sorted(network.groups.items())
    found = {
        "network": _digest(
            network.positions, network.edges, network.shifts, *(part for group in groups for part in group)
        ),
        "set of stiffnesses": _digest(system.stiffness),
        "pair of bounds": _digest(*system.bounds),
    }
    if isinstance(system, Material):
        laws = _law(system.law), _law(system.node_law)
        found["law"] = _digest(*laws, f"linearized={system.linearized}, box={system.box}")
        parameters = [*system.parameters.items(), *system.node_parameters.items()]
        found["set of parameters"] = _digest(*_flat(parameters))
    if scene.training is not None:
        task = setup.task
        more = [a for a in (task.codes, task.labels, task.rest_outputs) if a is not None]
        found["set of samples"] = _digest(task.inputs, task.targets, task.train, task.test, *map(np.asarray, more))
    for part in (scene.network, scene.system, scene.task, scene.controller):
        plugin = None if part is None else plugins().of(part)
        if plugin is not None and plugin.package != OWN:
            found[f"source of the plugin {plugin.name!r}"] = plugin.source or plugin.version
    return found


def check_fingerprint(before: Any, setup: Setup) -> None:
    """See that a state was saved of what the scene builds here.

    Raises:
        RunError: naming what is another.
    """
    now = fingerprint(setup)
    if not isinstance(before, Mapping):
        raise RunError("the checkpoint does not say what it is of")
    other = [name for name in {**now, **before} if now.get(name) != before.get(name)]
    if other:
        raise RunError(
            f"the checkpoint is of another {', another '.join(map(str, other[:8]))} than the scene gives here; put "
            "back the files and packages that the run began with, or run the scene anew"
        )


def _flat(named: Iterable[tuple[str, np.ndarray]]) -> Iterator[str | np.ndarray]:
    return (part for pair in named for part in pair)


def _law(law: EdgeLaw | NodeLaw | None) -> str:
    return "" if law is None else repr((law.expression, law.parameters, getattr(law, "stiffness", "")))


def _digest(*parts: np.ndarray | str) -> str:
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            part = np.frombuffer(part.encode(), dtype=np.uint8)
        if part.dtype.hasobject:
            part = np.asarray([str(item) for item in part.ravel()])
        total.update(repr((part.shape, part.dtype.str)).encode())
        total.update(np.ascontiguousarray(part).data)
    return total.hexdigest()
