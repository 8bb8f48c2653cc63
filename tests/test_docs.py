"""The documentation: its blocks run, its links lead somewhere, its reference is the code's, and its site builds.

In every page, in order: a Python block runs, all blocks of a page in one session; of a shell block every line must be a
command ``sandbox ...``, which runs; a TOML block must parse, and a scene must build. A block that begins with a line
``# name.py`` or ``# name.toml`` is a file that the page asks the reader to save: it runs on its own, and the session
knows nothing of it. A block under a comment ``<!-- not run: why -->`` is only read: Python compiles, commands
``sandbox`` have the options that they are given, and what is installed has the extras.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from sandbox import hookspecs, scene
from sandbox.build import Setup
from sandbox.cli import app
from sandbox.plugins import plugins

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "benchmarks" / "results").glob("*.md"))]
BLOCK = re.compile(
    r"(?P<mark><!-- not run: (?P<why>\S[^>]*) -->\n)?"
    r"(?:^```(?P<language>\w*)\n(?P<body>.*?)^```$|(?<=\n\n)(?P<indented>(?:^    sandbox [^\n]*\n)+))",
    re.MULTILINE | re.DOTALL,
)
"""A fenced block, or lines ``sandbox ...`` that are indented."""
FILE = re.compile(r"# (\w+\.(?:py|toml))\n")
ONE_SESSION = {"write_a_system.md", "write_a_controller.md"}
"""Pages whose sessions go on from the names in the files that they ask the reader to save."""
STOPPED = {128 + number for number in (signal.SIGINT, signal.SIGTERM)}
"""Statuses of a command that was asked to stop, say by a limit on the time of the tests."""
LANGUAGES = {"python", "sh", "toml", "text", "json"}


def tool(name: str) -> ModuleType:
    """A module of docs/_tools, which is no package."""
    sys.path.insert(0, str(DOCS / "_tools"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS / "_tools"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, and plugins that are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    plugins.cache_clear()
    yield tmp_path
    plugins.cache_clear()


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_blocks() -> list[Path]:
    return [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", with_blocks(), ids=page_name)
def test_blocks_run(page: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    for block in blocks:
        if block["body"] and (named := FILE.match(block["body"])):
            (elsewhere / named[1]).write_text(block["body"], encoding="utf-8")
    session: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        language = "sh" if block["indented"] else block["language"]
        line = text.count("\n", 0, block.start("indented" if block["indented"] else "body"))
        assert language in LANGUAGES, f"line {line}: a block in {language!r}; known are {sorted(LANGUAGES)}"
        if block["mark"]:
            read_block(block["body"], language, f"{page_name(page)}, line {line}")
            continue
        if language == "python":
            source = "\n" * line + block["body"]
            alone = FILE.match(block["body"]) and page.name not in ONE_SESSION
            namespace = {"__name__": "__main__"} if alone else session
            exec(compile(source, str(page), "exec", dont_inherit=True), namespace)
        elif language == "sh":
            for number, command in enumerate((block["indented"] or block["body"]).splitlines(), line + 1):
                run_command(command, f"{page_name(page)}, line {number}")
    for block in blocks:  # at the end, when the page's own plugins are in use
        if block["language"] == "toml" and not block["mark"]:
            check_toml(block["body"], page)


def run_command(line: str, where: str) -> None:
    """One line of a shell block."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    assert words[0] == "sandbox", f"{where}: {line!r} would not run here; put <!-- not run: why --> above the block"
    done = CliRunner().invoke(app, words[1:])
    if done.exit_code in STOPPED:  # a run hears the signal and ends well; what was asked to stop is this process
        pytest.exit(f"{where}: {line}: {done.output.strip()[-200:]}", returncode=done.exit_code)
    assert done.exit_code == 0, f"{where}: {line}\n{done.output[-2000:]}\n{done.exception!r}"


def read_block(text: str, language: str, where: str) -> None:
    """A block that is not run."""
    if language == "python":
        compile(text, where, "exec")
        return
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for part in re.split(r"&&|\n", text):
        words = shlex.split(part, comments=True)
        if words and Path(words[0]).name == "sandbox":
            command: Any = get_command(app)
            assert words[1] in command.commands, f"{where}: {part}"
            with command.commands[words[1]].make_context(words[1], words[2:]):  # raises for what it does not take
                pass
        for extra in re.findall(r"\.\[(\w+)\]", part):
            assert extra in extras, f"{where}: {part}"


def check_toml(text: str, page: Path) -> None:
    """TOML, and if it is a scene, one whose parts build."""
    data = tomllib.loads(text)
    if "network" in data:
        Setup(scene.validate({"name": "example", **data}, page.name)).check()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links(page: Path) -> None:
    """Links lead to files of the repository, and anchors to headings, as its web view has them."""
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)[^)]*\)", text):
        if target.startswith("http"):
            continue
        assert not target.startswith("/"), f"{target}: a link is relative, so that it works everywhere"
        found = page.parent / target if target else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as the web views of repositories and the site make them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_runner_can_fail(elsewhere: Path) -> None:
    with pytest.raises(AssertionError, match="would not run"):
        run_command("rm -r /", "here")
    with pytest.raises(Exception, match="--sed"):
        read_block("make && sandbox run iris_flow --sed 3", "sh", "here")
    with pytest.raises(AssertionError, match="pip install"):
        read_block("pip install -e '.[jupiter]'", "sh", "here")
    with pytest.raises(AssertionError, match="there is no scene"):
        run_command("sandbox run no_such_scene", "here")
    with pytest.raises(Exception, match="no such key"):
        check_toml('[network]\ntype = "square"\nshap = 3\n', ROOT / "README.md")


# What is generated from the code.


def test_generated_pages_are_up_to_date() -> None:
    generate = tool("generate")
    assert generate.stale() == [], f"run: {generate.COMMAND}"


def test_every_hook_is_documented_with_its_version_and_arguments() -> None:
    text = (DOCS / "hooks.md").read_text(encoding="utf-8")
    hooks = [f for f in vars(hookspecs).values() if hasattr(f, f"{hookspecs.PROJECT}_spec")]
    assert len(hooks) >= 8
    assert set(hookspecs.SINCE) == {hook.__name__ for hook in hooks}
    assert f"version {hookspecs.VERSION}." in text.partition("\n## ")[0]
    for hook in hooks:
        signature = inspect.signature(hook)
        assert f"## `{hook.__name__}({', '.join(signature.parameters)})`" in text
        section = text.partition(f"## `{hook.__name__}(")[2].partition("\n## ")[0]
        since = re.findall(r"Since version (\d+)\.", section)
        assert since == [str(hookspecs.SINCE[hook.__name__])]
        assert 1 <= int(since[0]) <= hookspecs.VERSION
        for name, parameter in signature.parameters.items():
            assert f"| `{name}` | `{parameter.annotation}` |" in section


def rows() -> dict[str, dict[str, str]]:
    """Heading, key and default of every row of the tables in docs/scene_reference.md, read from its text."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in (DOCS / "scene_reference.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif row := re.match(r"\| `(\w+)` \| \S.*? \| (required|none|`.*?`) \| \S.+ \|$", line):
            assert row[1] not in found.setdefault(heading, {}), f"{heading}: {row[1]} twice"
            found[heading][row[1]] = row[2]
    return found


def test_scene_reference_covers_every_table_and_key() -> None:
    reference = tool("scene_reference")
    said = rows()
    for heading, model in reference.TABLES.items():
        skip = reference.SECTIONS if model is scene.Scene else set()
        assert set(said[heading]) == set(model.model_fields) - skip, heading
    tables = {type_ for name in reference.SECTIONS for type_ in named_models(scene.Scene.model_fields[name].annotation)}
    parts = set(reference.plugins().parts)
    assert parts == set(reference.PARTS)
    assert {t for t in tables if issubclass(t, scene.Section)} <= set(reference.TABLES.values())


def named_models(annotation: Any) -> set[type]:
    """Classes in an annotation, however they are nested."""
    if isinstance(annotation, type):
        return {annotation}
    return {t for argument in getattr(annotation, "__args__", ()) for t in named_models(argument)}


@pytest.mark.parametrize(
    ("kind", "name"), [(k, n) for k, parts in plugins().parts.items() for n in parts], ids=lambda text: text
)
def test_scene_reference_covers_every_part(kind: str, name: str) -> None:
    origin = plugins().parts[kind].origin[name]
    if next(p for p in plugins().found if p.name == origin).package != "matter-sandbox":
        pytest.skip("comes from another package")
    model = plugins().parts[kind][name]
    text = (DOCS / "scene_reference.md").read_text(encoding="utf-8")
    heading = next(t for t in re.findall(r"^### (.*)$", text, re.MULTILINE) if f"`{name}`" in t)
    said = rows().get(heading, {})
    assert set(said) == set(model.model_fields)
    for key, field in model.model_fields.items():
        assert (said[key] == "required") == field.is_required()


def test_gallery_has_a_picture_of_every_scene() -> None:
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    record = tool("gallery")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == scene.names()
    for name in scene.names():
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        picture = re.search(r"!\[.+\]\((pictures/gallery/.+)\)", section)
        assert picture is not None
        assert (DOCS / picture[1]).stat().st_size > 1000
        assert f"sandbox run {name}" in section
        assert scene.read(name).title in section
        assert ("fetches its images" in section) == (name in record.FETCHED)


# The site.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link, a missing page or an unresolved name is an error."""
    for module in ("mkdocs", "material", "mkdocstrings", "latex2mathml"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


class Page(HTMLParser):
    """What the tests look at in a page of the site."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids.add(found.get("id") or "")
        if tag in ("script", "img", "iframe", "source"):
            self.loads.append(found.get("src") or "")
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loads.append(found.get("href") or "")
        elif tag == "a":
            self.links.append(found.get("href") or "")


def test_site_has_every_page_in_its_navigation(site: Path) -> None:
    home = Page(site / "index.html")
    linked = {link.partition("#")[0] for link in home.links}
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        if not name.startswith("_tools"):
            target = re.sub(r"(^|/)README\.md$", r"\1index.html", name).replace(".md", ".html")
            assert (site / target).is_file(), name
            assert target in linked or target == "index.html", name
    for page in (ROOT / "benchmarks" / "results").glob("*.md"):
        assert f"repository/benchmarks/results/{page.stem}.html" in linked


def test_site_loads_nothing_from_elsewhere_and_its_links_lead_somewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for path in pages:
        if path.name == "404.html":  # written for the root of a server
            continue
        page = Page(path)
        for target in page.loads:
            assert not re.match(r"(https?:)?//", target), f"{path.name} loads {target}"
            assert not target or (path.parent / target.partition("?")[0]).exists(), f"{path.name}: {target}"
        for link in page.links:
            target = link.partition("#")[0]
            if target and not re.match(r"\w+:", target):
                assert (path.parent / target).exists(), f"{path.name}: {link}"


def test_site_has_formulas_pictures_and_the_interface(site: Path) -> None:
    theory = Page(site / "theory.html")
    assert theory.tags.count("math") > 40
    assert "arithmatex" not in (site / "theory.html").read_text(encoding="utf-8")
    assert Page(site / "gallery.html").tags.count("img") >= len(scene.names())
    interface = {name for path in (site / "api").glob("*.html") for name in Page(path).ids}
    for name in ("sandbox.Bench.hold", "sandbox.Material.relax", "sandbox.load", "sandbox.open", "sandbox.export"):
        assert name in interface, name
    for name in ("sandbox.parts.Controller.step", "sandbox.physics.graphs.packing", "sandbox.simulate"):
        assert name in interface, name


def test_site_keeps_its_tools_to_itself(site: Path) -> None:
    assert not (site / "_tools").exists()
    assert not list(site.rglob("*.py"))
