"""Scenes: what to build, what to do with it, what to record; as data, validated before anything starts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox.errors import PluginError, SceneError
from sandbox.imperfections import Imperfections
from sandbox.parts import Controller, Graph, Part, SystemPart, TaskPart
from sandbox.plugins import plugins
from sandbox.spread import Spread
from sandbox.units import Units

MAX_BYTES = 1_000_000
MAX_MISTAKES = 20
"""Mistakes that are shown; the others are counted."""
MAX_DEPTH = 16
"""Of dotted keys. Python's reader takes memory that grows with the square of it."""
_DEEP_KEY = re.compile(rf"""(?<![\w-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH},}}""")
NAME = r"^\w[\w .()+-]*$"

Node = Annotated[int, Field(ge=0, lt=2**31)]
Nodes = Annotated[
    str | Annotated[list[Node], Field(min_length=1)], Field(description="name of a group, or node indices")
]


def _without_control_characters(text: str) -> str:
    if any((ord(c) < 32 and c not in "\n\r\t") or 127 <= ord(c) < 160 for c in text):
        raise ValueError("there are control characters in it")
    return text


Text = Annotated[str, AfterValidator(_without_control_characters)]


class Section(BaseModel):
    """A table of a scene; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Group(Section):
    """A named set of nodes: given, on a side, inside a ball (disk) or inside a box."""

    nodes: list[Node] | None = None
    side: Literal["left", "right", "bottom", "top", "back", "front"] | None = None
    center: list[float] | None = None
    radius: float | None = Field(None, gt=0)
    lower: list[float] | None = None
    upper: list[float] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Group:
        ways = (self.nodes is not None, self.side is not None, self.center is not None, self.lower is not None)
        if sum(ways) != 1:
            raise ValueError("give one of: nodes; side; center and radius; lower and upper")
        if (self.center is None) != (self.radius is None) or (self.lower is None) != (self.upper is None):
            raise ValueError("center goes with radius, and lower with upper")
        return self


class Clamp(Section):
    """Hold nodes: at ``value``, or (for positions) at rest plus ``displacement``."""

    nodes: Nodes
    value: float | list[float] | None = None
    displacement: list[float] | None = None
    components: list[int] | None = Field(None, min_length=1, description="which components are held; all by default")

    @model_validator(mode="after")
    def _one_way(self) -> Clamp:
        if self.value is not None and self.displacement is not None:
            raise ValueError("give value or displacement, not both (neither: held at rest)")
        if self.components is not None and len(set(self.components)) < len(self.components):
            raise ValueError(f"components {self.components} name one twice")
        return self


class Push(Section):
    """Push nodes by an external force, or inject a current."""

    nodes: Nodes
    force: float | list[float]


class Strike(Section):
    """Give nodes an initial velocity."""

    nodes: Nodes
    velocity: list[float]


class Shake(Section):
    """Move clamped nodes by ``amplitude*sin(2 pi frequency t + phase)`` along a direction."""

    nodes: Nodes
    amplitude: float
    frequency: float
    phase: float = 0.0
    direction: list[float] | None = None


class TerminalPlaces(Section):
    """Where inputs and outputs are.

    ``pick = "random"`` draws as many different nodes as the task needs; ``"boundary pairs"`` a source pair and the far
    target pair of a packing. Otherwise give the nodes, or pairs of nodes.
    """

    pick: Literal["random", "boundary pairs"] | None = None
    inputs: str | list[Node] | list[tuple[Node, Node]] | None = None
    outputs: str | list[Node] | list[tuple[Node, Node]] | None = None
    input_kind: Literal["value", "force"] = "value"
    component: int = Field(0, ge=0, description="state component of node terminals")

    @model_validator(mode="after")
    def _one_way(self) -> TerminalPlaces:
        given = self.inputs is not None, self.outputs is not None
        if self.pick is not None and any(given):
            raise ValueError("give pick, or inputs and outputs, not both")
        if self.pick is None and not all(given):
            raise ValueError('give inputs and outputs, or pick = "random" or "boundary pairs"')
        return self


Positive = Annotated[float, Field(gt=0)]


class BenchSettings(Section):
    """Knobs and homeostat of the apparatus."""

    compliance: Positive | Spread | dict[str, Positive] = Field(
        default=1.0,
        description="of every stiffness: a number, a random draw, or a number for each group of stiffnesses; "
        "the learning rate is compliance*beta",
    )
    coupling: Literal["quadratic", "log"] = "quadratic"
    homeostat: Literal["ideal", "integral"] = "ideal"
    tolerance: float = Field(
        default=1e-10, gt=0, lt=1e-2, description="of every relaxation, relative to the forces at play"
    )
    fresh: bool = Field(
        default=False, description="relax new inputs from the rest state, not from where the last left off"
    )
    imperfections: Imperfections = Imperfections()


class Training(Section):
    """How long to learn."""

    epochs: int = Field(gt=0, le=10_000_000)
    batch: int = Field(1, gt=0, description="samples per step, sharing the stiffnesses")
    shuffle: bool = True
    every: int = Field(1, gt=0, description="epochs between evaluations")
    stop_loss: float | None = Field(None, gt=0, description="stop once the training loss is below")
    compliance_decay: float = Field(1.0, gt=0, le=1, description="factor on the compliance after each epoch")
    keep: Literal["every", "ends"] = Field(
        "every", description="evaluations whose stiffnesses are recorded: all, or the first and the last"
    )


class Relax(Section):
    """Statics: relax once."""

    tolerance: float = Field(1e-10, gt=0, lt=1e-2)
    method: str = "auto"
    max_iterations: int = Field(500, gt=0)


class Dynamics(Section):
    """Motion in time; mass and damping are the system's."""

    time_step: float = Field(gt=0)
    steps: int = Field(gt=0, le=1_000_000_000)
    every: int = Field(1, gt=0, description="steps between recorded times")
    temperature: float = Field(0.0, ge=0)
    strike: list[Strike] = []
    shake: list[Shake] = []


class Scene(Section):
    """An experiment."""

    name: str = Field("scene", max_length=80, pattern=NAME, description="of the scene, and of its run folders")
    title: Text = ""
    description: Text = ""
    seed: int = Field(0, ge=0, lt=2**63)
    network: Graph
    system: SystemPart
    units: Units | None = None
    groups: dict[Text, Group] = {}
    clamp: list[Clamp] = []
    push: list[Push] = []
    terminals: TerminalPlaces | None = None
    bench: BenchSettings = BenchSettings()
    task: TaskPart | None = None
    controller: Controller | None = None
    training: Training | None = None
    relax: Relax | None = None
    dynamics: Dynamics | None = None

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
        for key, kind in _PARTS.items():
            part = getattr(self, key)
            if part is not None:
                data[key] = {"type": _name_of(kind, part), **data[key]}
        return _without_none(data)


_PARTS = {"network": "graph", "system": "system", "task": "task", "controller": "controller"}


def _name_of(kind: str, part: Part) -> str:
    return next(name for name, cls in plugins().parts[kind].items() if cls is type(part))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(v) for v in value]
    return value


# Reading.


def folder() -> Path:
    """Where the scenes that come with the sandbox are."""
    here = Path(__file__).resolve().parent
    return here / "scenes" if (here / "scenes").is_dir() else here.parent / "scenes"


def names() -> list[str]:
    """Names of the scenes that come with the sandbox."""
    return sorted(p.stem for p in folder().glob("*.toml"))


def find(name: str | Path) -> Path:
    """The file of a scene, given its path or the name of one that comes with the sandbox.

    Raises:
        SceneError: if there is none; names the nearest.
    """
    text = str(name)
    if text.endswith(".toml") or "/" in text:
        path = Path(text)
        try:
            found = path.is_file()
        except OSError as error:
            raise SceneError(f"there can be no scene file {text[:60]!r}...: {error.strerror}") from None
        if not found:
            raise SceneError(f"there is no scene file {text!r}")
        return path
    if text in names():
        return folder() / f"{text}.toml"
    near = get_close_matches(text, names(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise SceneError(
        f"there is no scene {text!r}; {hint}scenes: {', '.join(names())}; or give the path of a .toml file"
    )


def read(
    name: str | Path,
    changes: Iterable[str | tuple[str, Any]] = (),
    seed: int | None = None,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
) -> Scene:
    """Read and validate a scene.

    Args:
        name: a path, or the name of a scene that comes with the sandbox.
        changes: ``"key=value"`` with a dotted key and a TOML value, for example ``"controller.beta=0.1"``; or a pair
            of a key and a value.
        seed: in place of the scene's.
        sections: replacements for keys of whole sections.

    Raises:
        SceneError: every mistake, with its key and the nearest valid name.
    """
    path = find(name)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SceneError(f"{path.name}: a scene is a text of at most {MAX_BYTES} bytes")
        data = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SceneError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a whole number of thousands of digits
        raise SceneError(f"{path.name} is not valid TOML: {error}") from None
    data.setdefault("name", re.sub(r"[^\w.-]+", "_", path.stem)[:80].lstrip(".-") or "scene")
    for change in changes:
        _put(data, *(parse_change(change) if isinstance(change, str) else change))
    for section, values in (sections or {}).items():
        table = data.get(section, {})
        if not isinstance(values, Mapping) or not isinstance(table, dict):
            raise SceneError(f"{section}={values!r}: a dict of keys of that section is needed")
        # Another type has other keys: those of the old one do not carry over.
        other = "type" in values and values["type"] != table.get("type")
        data[section] = dict(values) if other else table | dict(values)
    if seed is not None:
        data["seed"] = seed
    return validate(data, path.name)


def parse_toml(text: str) -> dict[str, Any]:
    """The data of a TOML text; :class:`ValueError` if it is none, or too deep."""
    deep = _DEEP_KEY.search(text)
    if deep:
        raise ValueError(f"more than {MAX_DEPTH} names with dots between them: {deep[0][:30]}...")
    return tomllib.loads(text)


def parse_change(change: str) -> tuple[str, Any]:
    """Key and value of a text ``"key=value"``.

    Raises:
        SceneError: if it is not one.
    """
    key, separator, text = change.partition("=")
    if not separator or not key.strip():
        raise SceneError(f"--set takes key=value, for example controller.beta=0.1; got {change!r}")
    if "\n" in change or "\r" in change:
        raise SceneError(f"--set takes one key=value on one line; got {change[:60]!r}")
    return key.strip(), parse_value(key, text)


def parse_value(key: str, text: str) -> Any:
    """A TOML value; a text that is none stands for itself.

    Args:
        key: for errors.
    """
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text.strip()
    except RecursionError:
        raise SceneError(f"--set {key}: the value is nested too deeply") from None


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    keys = [k.strip() for k in key.split(".")]
    if not all(keys):
        raise SceneError(f"--set takes key=value, for example controller.beta=0.1; got the key {key!r}")
    if len(keys) > MAX_DEPTH:
        raise SceneError(f"--set {key[:60]}...: more than {MAX_DEPTH} names with dots between them")
    table: Any = data
    for step in keys[:-1]:
        table = table.setdefault(step, {})
        if not isinstance(table, dict):
            raise SceneError(f"--set {key}={value}: {step!r} is not a table")
    if keys[-1] == "type" and len(keys) == 2 and table.get("type") != value:
        table.clear()  # another type has other keys
    table[keys[-1]] = value


def validate(data: Mapping[str, Any], source: str = "scene") -> Scene:
    """Make a scene from data.

    Raises:
        SceneError: every mistake, with its key and the nearest valid name.
    """
    data = dict(data)
    problems: list[str] = []
    for key, kind in _PARTS.items():
        if key in data:
            data[key] = _part(key, kind, data[key], problems)
    broken = {key for key in _PARTS if key in data and data[key] is None}
    try:
        scene = Scene.model_validate({k: v for k, v in data.items() if k not in broken})
    except ValidationError as error:
        # A part that is there but broken is not missing.
        missing = {key: f"a scene with training needs the table {key} too" for key in broken}
        said = _explain(error, Scene)
        problems += [line for line in said if line.partition(":")[0] not in broken and line not in missing.values()]
        scene = None
    if problems or scene is None:
        shown = [f"  {p if len(p) <= 1000 else p[:1000] + '...'}" for p in problems[:MAX_MISTAKES]]
        more = [f"  and {len(problems) - MAX_MISTAKES} more"] if len(problems) > MAX_MISTAKES else []
        raise SceneError("\n".join([f"{source}: {len(problems)} mistake(s)", *shown, *more]))
    return scene


def _part(key: str, kind: str, value: Any, problems: list[str]) -> Part | None:
    known = plugins().parts[kind]
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        problems.append(f'{key}: a table with type = "..." is needed; known types: {", ".join(known)}')
        return None
    try:
        cls = known[value["type"]]
    except PluginError as error:
        problems.append(f"{key}.type: {error}")
        return None
    try:
        return cls.model_validate({k: v for k, v in value.items() if k != "type"})
    except ValidationError as error:
        problems += [f"{key}.{line}" for line in _explain(error, cls)]
    return None


def _explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A line for each mistake: key path, what was wrong, the nearest valid name."""
    lines: dict[str, None] = {}
    found = error.errors(include_url=False)
    for item in found[:MAX_MISTAKES]:
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in _keys(item["loc"])).lstrip(".")
        message = item["msg"].removeprefix("Value error, ")
        given = item.get("input")
        if item["type"] == "extra_forbidden":
            valid = _fields_at(model, item["loc"][:-1])
            near = get_close_matches(str(item["loc"][-1]), valid, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            message = f"there is no such key; {hint}valid keys: {', '.join(valid)}"
        elif item["type"] == "missing":
            message = "is missing"
        elif isinstance(given, (str, int, float, bool, list)):
            message += f"; got {str(given)[:60]!r}"
        lines[f"{path}: {message}" if path else message] = None
    return [*lines, *(f"mistake {n + 1}" for n in range(MAX_MISTAKES, len(found)))]


def _keys(location: tuple[int | str, ...]) -> list[int | str]:
    """A place without the steps by which pydantic tells which kind of several was tried: they are no keys."""

    def is_key(step: int | str, before: int | str) -> bool:
        if isinstance(step, int) or before == "groups":
            return True
        return not ("[" in step or step in ("str", "int", "float") or step[:1].isupper() or "constrained" in step)

    return [s for s, before in zip(location, ("", *location), strict=False) if is_key(s, before)]


def _fields_at(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys valid at a place in a model; of the model itself where the place cannot be followed."""
    for step in location:
        if isinstance(step, int) or not hasattr(model, "model_fields") or step not in model.model_fields:
            continue
        annotation = model.model_fields[step].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        for candidate in list(candidates):
            candidates += getattr(candidate, "__args__", ())
        model = next((c for c in candidates if hasattr(c, "model_fields")), model)
    return sorted(getattr(model, "model_fields", {}))
