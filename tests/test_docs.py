"""The documentation: its Python runs, its scenes are valid, and it names every hook and every key as they are."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sandbox import hookspecs, scene
from sandbox.imperfections import Imperfections
from sandbox.plugins import plugins
from sandbox.spread import Spread

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.(?:py|toml))\n")
"""First line of a block that the page asks the reader to save under that name."""

TABLES = {
    "Scene": scene.Scene,
    "Spread values": Spread,
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
"""Headings of docs/scenes.md and the models whose keys are under them."""


def default_text(field: FieldInfo) -> str:
    """How docs/scenes.md writes the default of a key."""
    default = field.default if field.default_factory is None else field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default is None or isinstance(default, Imperfections):
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


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, and plugins that are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    plugins.cache_clear()
    yield tmp_path
    plugins.cache_clear()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_page(page: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every Python block of the page runs, in order and in one namespace; then every scene on it is valid."""
    text = page.read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    for block in blocks:
        if named := FILE.match(block[2]):
            (elsewhere / named[1]).write_text(block[2], encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in blocks:
        if block[1] == "python":
            line = text.count("\n", 0, block.start(2))
            exec(compile("\n" * line + block[2], str(page), "exec", dont_inherit=True), namespace)
    for block in blocks:
        if block[1] == "toml" and "[network]" in block[2]:
            scene.validate({"name": "example", **tomllib.loads(block[2])}, page.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_hook_is_documented_with_its_arguments() -> None:
    pages = [ROOT / "docs" / name for name in ("write_a_system.md", "hooks.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages if page.exists())
    hooks = [f for f in vars(hookspecs).values() if hasattr(f, f"{hookspecs.PROJECT}_spec")]
    assert len(hooks) >= 8
    for hook in hooks:
        assert f"`{hook.__name__}({', '.join(inspect.signature(hook).parameters)})`" in text


def _rows() -> list[tuple[str, str, str]]:
    """Heading, key and default of every row of the tables in docs/scenes.md."""
    rows, heading = [], ""
    for line in (ROOT / "docs" / "scenes.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif found := re.match(r"\| `(\w+)` \| .+? \| (required|none|`.*?`) \| .+ \|$", line):
            rows.append((heading, found[1], found[2]))
    return rows


@pytest.mark.parametrize("heading", TABLES)
def test_scene_tables_have_every_key_and_default(heading: str) -> None:
    model = TABLES[heading]
    said = {key: default for where, key, default in _rows() if where == heading}
    skip = {k for k in model.model_fields if model is scene.Scene and k in SECTIONS}
    assert said == {k: default_text(f) for k, f in model.model_fields.items() if k not in skip}


SECTIONS = set(scene.Scene.model_fields) - {"name", "title", "description", "seed"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k, parts in plugins().parts.items() for n in parts],
    ids=lambda text: text,
)
def test_part_tables_have_every_key_and_default(kind: str, name: str) -> None:
    said: dict[str, set[str]] = {}
    for heading, key, default in _rows():
        if f"`{name}`" in heading:
            said.setdefault(key, set()).add(default)
    model = plugins().parts[kind][name]
    assert set(said) == set(model.model_fields)
    for key, field in model.model_fields.items():
        assert default_text(field) in said[key], key
