"""Writes docs/scene_reference.md from the schema of scenes: every table, every key, type, default and meaning.

The meaning of a key is the description of its field. Where the schema has none, scene_words.toml has it; a key with
neither is an error, and so is a word for a key that has a description or is not there.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sandbox import scene
from sandbox.imperfections import Imperfections
from sandbox.plugins import plugins
from sandbox.spread import Spread
from sandbox.units import Units

HERE = Path(__file__).resolve().parent
PACKAGE = "matter-sandbox"

TABLES: dict[str, type[BaseModel]] = {
    "Top level": scene.Scene,
    "Spread values": Spread,
    "`[units]`": Units,
    "`[groups.NAME]`": scene.Group,
    "`[[clamp]]`": scene.Clamp,
    "`[[push]]`": scene.Push,
    "`[relax]`": scene.Relax,
    "`[dynamics]`": scene.Dynamics,
    "`[[dynamics.strike]]`": scene.Strike,
    "`[[dynamics.shake]]`": scene.Shake,
    "`[training]`": scene.Training,
    "`[terminals]`": scene.TerminalPlaces,
    "`[bench]`": scene.BenchSettings,
    "`[bench.imperfections]`": Imperfections,
}
"""Headings of the page and the models whose keys are under them."""

PARTS = {"graph": "`[network]`", "system": "`[system]`", "controller": "`[controller]`", "task": "`[task]`"}
"""Kinds of parts that plugins register, and the tables of a scene that name one by ``type``."""

SECTIONS = {"network", "system", "task", "controller"} | {
    name.strip("`[]").partition(".")[0] for name in TABLES if name.startswith("`[")
}
"""Keys of the top level that are tables with a heading of their own."""

HEAD = """\
# Scene reference

Every table and key of a scene, generated from its schema; [Scenes](scenes.md) explains them. *none* as default means
that the key may be left out. Units are the user's own: nothing converts them, and `[units]` names them. Unknown keys
are refused, and so are numbers that are not finite; only `maximum` may be `inf`.
"""


def page() -> str:
    """The text of docs/scene_reference.md.

    Raises:
        LookupError: for a key without a meaning, or a meaning without a key.
    """
    words = _Words(tomllib.loads((HERE / "scene_words.toml").read_text(encoding="utf-8")))
    parts = [HEAD]
    for heading, model in TABLES.items():
        skip = SECTIONS if model is scene.Scene else frozenset()
        parts += [f"## {heading}\n", *_intro(words, heading, model), table(model, words, heading, skip)]
    for kind, heading in PARTS.items():
        parts += [f"## {heading}\n", words.intro(heading) or "What `type` may be.\n"]
        for names in _alike(kind):
            title = ", ".join(f"`{name}`" for name in names)
            models = {name: plugins().parts[kind][name] for name in names}
            first = models[names[0]]
            parts.append(f"### {title}\n")
            if len(names) == 1:
                parts += _intro(words, title, first)
            else:
                parts.append("".join(f"- `{n}`: {prose(inspect.getdoc(m) or '')}\n" for n, m in models.items()))
            parts.append(table(first, words, title))
    words.check_all_used()
    return "\n".join(parts)


def table(model: type[BaseModel], words: _Words, heading: str, skip: frozenset[str] | set[str] = frozenset()) -> str:
    """A Markdown table of the keys of a model, but for those in ``skip``."""
    schema = model.model_json_schema()
    rows = []
    for key, field in model.model_fields.items():
        if key in skip:
            continue
        meaning = words.meaning(heading, model, key, field)
        what = type_text(schema["properties"][key], schema.get("$defs", {}))
        rows.append(f"| `{key}` | {what} | {default_text(field)} | {_cell(meaning)} |\n")
    if not rows:
        return "It has no keys of its own.\n"
    return "| key | type | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(rows)


def type_text(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a key takes, in words, from its JSON schema."""
    if "anyOf" in schema or "oneOf" in schema:
        options = [o for o in schema.get("anyOf", schema.get("oneOf", ())) if o.get("type") != "null"]
        return " or ".join(dict.fromkeys(type_text(option, definitions) for option in options))
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "[table](#spread-values)" if name == Spread.__name__ else "table"
    if "enum" in schema:
        return ", ".join(f'`"{v}"`' if isinstance(v, str) else f"`{v}`" for v in schema["enum"])
    if "const" in schema:
        return f'`"{schema["const"]}"`' if isinstance(schema["const"], str) else f"`{schema['const']}`"
    kind = schema.get("type")
    if kind == "array":
        if "prefixItems" in schema:
            count, items = len(schema["prefixItems"]), {type_text(i, definitions) for i in schema["prefixItems"]}
            return f"{count} {_plural(items.pop()) if len(items) == 1 else 'values'}"
        return f"list of {_plural(type_text(schema.get('items', {}), definitions))}"
    if kind == "object":
        return "table"
    plain = {"number": "number", "integer": "integer", "string": "text", "boolean": "true or false"}
    return plain.get(str(kind), "any value") + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    most = {2**31 - 1, 2**31, 2**63 - 1, 2**63}  # limits of the machine's integers are not news
    found = [
        f"{sign} {schema[name]:,.10g}" for name, sign in signs.items() if name in schema and schema[name] not in most
    ]
    return "".join(f", {text}" for text in found)


def _plural(text: str) -> str:
    for one, many in (("number", "numbers"), ("integer", "integers"), ("text", "texts"), ("table", "tables")):
        if text.startswith(one):
            return many + text.removeprefix(one)
    return text


def default_text(field: FieldInfo) -> str:
    """How the page writes the default of a key."""
    default = field.default if field.default_factory is None else field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default is None or isinstance(default, (Imperfections, scene.BenchSettings)):
        return "none"
    if isinstance(default, Spread):
        return f"`{{ low = {default.low:g}, high = {default.high:g} }}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, str):
        return f'`"{default}"`'
    if isinstance(default, float):
        return f"`{default:.7g}`"
    if isinstance(default, (list, tuple)):
        return f"`{list(default)}`"
    return f"`{default}`"


def _alike(kind: str) -> Iterator[list[str]]:
    """Names of the parts of a kind that come with the sandbox, together where their keys agree in everything."""
    own = {plugin.name for plugin in plugins().found if plugin.package == PACKAGE}
    parts = plugins().parts[kind]
    groups: dict[str, list[str]] = {}
    for name in parts:
        if parts.origin[name] in own:
            keys = {key: repr(field) for key, field in parts[name].model_fields.items()}
            groups.setdefault(f"{parts.origin[name]} {keys}" if keys else name, []).append(name)
    yield from groups.values()


def _intro(words: _Words, heading: str, model: type[BaseModel]) -> list[str]:
    said = words.intro(heading)
    if said is None:
        said = prose(inspect.getdoc(model) or "")
    return [said.strip() + "\n"] if said else []


def prose(docstring: str) -> str:
    """A docstring as Markdown: without its list of errors, roles and double backticks as code, stars as stars."""
    text = re.split(r"\n\n(?:Raises|Attributes|Args):", docstring)[0]
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    pieces = re.split(r"(`[^`]+`|^    .*$)", text, flags=re.MULTILINE)
    return "".join(piece if number % 2 else piece.replace("*", "\\*") for number, piece in enumerate(pieces))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


class _Words:
    """What the schema does not say: introductions, and meanings of keys that have no description."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.intros: dict[str, str] = data.get("intro", {})
        self.keys: dict[str, dict[str, str]] = data.get("keys", {})
        self.used: set[tuple[str, str]] = set()

    def intro(self, heading: str) -> str | None:
        self.used.add(("intro", heading))
        return self.intros.get(heading)

    def meaning(self, heading: str, model: type[BaseModel], key: str, field: FieldInfo) -> str:
        said = self.keys.get(model.__name__, {}).get(key)
        if field.description and said:
            raise LookupError(f"{model.__name__}.{key} has a description; take it out of scene_words.toml")
        if not field.description and not said:
            raise LookupError(
                f"{heading}: the key {key} has no meaning; give its field in {model.__module__}.{model.__name__} a "
                f"description, or add it under [keys.{model.__name__}] in docs/_tools/scene_words.toml"
            )
        self.used.add((model.__name__, key))
        return prose(field.description or said or "")

    def check_all_used(self) -> None:
        given = {("intro", heading) for heading in self.intros}
        given |= {(model, key) for model, keys in self.keys.items() for key in keys}
        if given - self.used:
            raise LookupError(f"scene_words.toml speaks of what is not there: {sorted(given - self.used)}")
