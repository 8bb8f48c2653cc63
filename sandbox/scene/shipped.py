"""Where scenes are: those that come with the sandbox by name, others by path."""

from __future__ import annotations

from pathlib import Path

from sandbox.errors import SceneError
from sandbox.suggestions import did_you_mean, listed


def folder() -> Path:
    """Where the scenes that come with the sandbox are."""
    here = Path(__file__).resolve().parent.parent
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
    hint = did_you_mean(text, names())
    raise SceneError(f"there is no scene {text!r}; {hint}scenes: {listed(names())}; or give the path of a .toml file")
