"""What the build of the site does beside Markdown: formulas, pages from outside docs/, roles in docstrings.

- Formulas between dollars become MathML, which browsers draw themselves: no script, no font, nothing from elsewhere.
- benchmarks/results lies outside ``docs_dir``. Its pages and pictures, and any other file of the repository that a page
  links to, are added to the site under ``repository/``, and the links are turned there. In the web view of the
  repository the same links lead to the files themselves.
- An entry of the navigation with a star stands for the pages of that name, so that new ones enter by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path, PurePosixPath
from typing import Any

import generate
import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = "repository"
"""Folder of the site for what comes from outside docs/."""
BENCHMARKS = "benchmarks/results"
LINK = re.compile(r"(?<=\]\()([^)\s#]+)((?:#[^)\s]*)?)(?=[)\s])")
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\(|\\\[)(.*?)(?:\\\)|\\\])</\1>', re.DOTALL)
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):<code>~?([\w.]+)</code>")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Refuses to build generated pages that are out of date, and fills in the navigation."""
    stale = generate.stale()
    if stale:
        raise PluginError(f"{', '.join(stale)} differ from the code; run: {generate.COMMAND}")
    listed = set(_entries(config.nav or []))
    config.nav = _filled(config.nav or [], listed)
    return config


def _entries(nav: Any) -> Iterator[str]:
    """Every page that is named in the navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from _entries(entry)


def _filled(nav: list[Any], listed: set[str]) -> list[Any]:
    """The navigation with pages in place of patterns, and without sections that are left empty."""
    full: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and "*" in entry:
            outside = entry.startswith(f"{OUTSIDE}/")
            base = ROOT if outside else ROOT / "docs"
            names = sorted(path.relative_to(base).as_posix() for path in base.glob(entry.removeprefix(f"{OUTSIDE}/")))
            found = [f"{OUTSIDE}/{name}" if outside else name for name in names]
            full += [name for name in found if name not in listed]
            listed.update(found)
        elif isinstance(entry, dict):
            sections = {title: _filled(v, listed) if isinstance(v, list) else v for title, v in entry.items()}
            if all(sections.values()):
                full.append(sections)
        else:
            full.append(entry)
    return full


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the benchmarks, and every file outside docs/ that a page links to."""
    wanted = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / BENCHMARKS).iterdir() if path.suffix in (".md", ".png")
    }
    for page in (ROOT / "docs").rglob("*.md"):
        for target, _ in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
            found = _outside(page.relative_to(ROOT).as_posix(), target)
            if found is not None:
                wanted.add(found)
    for name in sorted(wanted):
        files.append(File.generated(config, f"{OUTSIDE}/{name}", abs_src_path=str(ROOT / name)))
    return files


def _outside(page: str, target: str) -> str | None:
    """The file of the repository, outside docs/, that a link from a page leads to; ``None`` for all other links."""
    if ":" in target:
        return None
    name = os.path.normpath(PurePosixPath(page).parent / target)
    return name if not name.startswith(("docs/", "..")) and (ROOT / name).is_file() else None


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between docs/ and the rest of the repository to where the site has the file."""
    here = page.file.src_uri
    inside = here.startswith(f"{OUTSIDE}/")
    source = here.removeprefix(f"{OUTSIDE}/") if inside else f"docs/{here}"
    folder = PurePosixPath(here).parent

    def turn(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2]
        if ":" in target:
            return link[0]
        name = os.path.normpath(PurePosixPath(source).parent / target)
        place = name.removeprefix("docs/") if name.startswith("docs/") else f"{OUTSIDE}/{name}"
        return os.path.relpath(place, folder) + anchor

    return LINK.sub(turn, markdown) if inside or "](../" in markdown else markdown


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draws formulas as MathML, and turns the roles of docstrings into links where the site has the object."""
    html = FORMULA.sub(lambda found: _formula(found[2], found[1] == "div", page), html)
    return ROLE.sub(_reference, html)


def _formula(latex: str, block: bool, page: Page) -> str:
    text = unescape(latex).strip()
    try:
        mathml = latex2mathml.converter.convert(text, display="block" if block else "inline")
    except Exception as error:  # whatever its parser raises, the formula is to blame and is named
        raise PluginError(f"{page.file.src_uri}: the formula {text!r} cannot be drawn: {error!r}") from error
    if re.search(r"<m[io]>(?:&amp;|&|\\\w*)</m[io]>", mathml):
        raise PluginError(f"{page.file.src_uri}: the formula {text!r} has something that MathML has no sign for")
    return f'<div class="formula">{mathml}</div>' if block else mathml


def _reference(role: re.Match[str]) -> str:
    name = role[1]
    return f'<autoref optional identifier="{name}"><code>{name.rpartition(".")[2]}</code></autoref>'
