"""A scene: its tables together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from sandbox.parts import Controller, Graph, Part, SystemPart, TaskPart
from sandbox.plugins import plugins
from sandbox.scene.learning import BenchSettings, Training
from sandbox.scene.mechanics import Dynamics, Relax
from sandbox.scene.places import Clamp, Group, Push, TerminalPlaces
from sandbox.scene.section import Section, Text
from sandbox.units import Units

NAME = r"^\w[\w .()+-]*$"

PARTS = {"network": "graph", "system": "system", "task": "task", "controller": "controller"}
"""Tables that are parts of plugins, and their kinds."""


class Scene(Section):
    """An experiment."""

    name: str = Field("scene", max_length=80, pattern=NAME, description="of the scene, and of its run folders")
    title: Text = ""
    description: Text = ""
    seed: int = Field(0, ge=0, lt=2**63)
    network: Graph
    system: SystemPart
    units: Units | None = None
    groups: dict[Text, Group] = Field({})
    clamp: list[Clamp] = Field([])
    push: list[Push] = Field([])
    terminals: TerminalPlaces | None = None
    bench: BenchSettings = BenchSettings()
    task: TaskPart | None = None
    controller: Controller | None = None
    training: Training | None = None
    relax: Relax | None = None
    dynamics: Dynamics | None = None
    _places: tuple[Path, ...] = PrivateAttr(())

    @property
    def places(self) -> tuple[Path, ...]:
        """Folders in which the files that it names are looked for; empty for the working directory."""
        return self._places

    def __eq__(self, other: object) -> bool:
        """Compare what they say; where their files are is no part of it."""
        return isinstance(other, Scene) and super().__eq__(other.placed(self.places))

    def placed(self, places: Iterable[Path]) -> Scene:
        """The same scene, with its files in these folders."""
        scene = self.model_copy()
        scene._places = tuple(places)
        return scene

    @model_validator(mode="after")
    def _one_thing_to_do(self) -> Scene:
        doing = [n for n in ("training", "relax", "dynamics") if getattr(self, n) is not None]
        if len(doing) != 1:
            found = " and ".join(doing) or "none of them"
            raise ValueError(f"a scene has one of the tables training, relax or dynamics; this has {found}")
        if self.training is not None:
            missing = [n for n in ("task", "controller", "terminals") if getattr(self, n) is None]
            if missing:
                raise ValueError(f"a scene with training needs the table {missing[0]} too")
        if self.dynamics is not None and self.system.inertia() is None:
            raise ValueError("this kind of system has no masses, so it has no dynamics; use relax")
        return self

    def resolved(self) -> dict[str, Any]:
        """Everything the scene says, defaults filled in, as data that can be written as TOML and loaded again."""
        data = self.model_dump(mode="python", serialize_as_any=True)
        for key, kind in PARTS.items():
            part = getattr(self, key)
            if part is not None:
                data[key] = {"type": _name_of(kind, part), **data[key]}
        return _without_none(data)


def _name_of(kind: str, part: Part) -> str:
    return next(name for name, cls in plugins().parts[kind].items() if cls is type(part))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(v) for v in value]
    return value
