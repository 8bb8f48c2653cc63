"""Folders under git that others made: the commit is told where it can be, and nothing that they name is executed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.commit import NOT_KNOWN, commit_of

from .hostile_git import COMMIT, CONFIGURATIONS, PLACES, SECRET, configured, plain
from .malformed import NET, Report, attempt
from .tripwire import tripwire

TOLD = {"commit": COMMIT, "changed": NOT_KNOWN}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations(name: str, folder: Path) -> None:
    outside = configured(folder, name)
    with tripwire(outside, folder=folder):
        assert commit_of(folder) == TOLD


@pytest.mark.parametrize("name", PLACES)
def test_places(name: str, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.write_text(f"{SECRET}\n{SECRET} refs/heads/main\n")
    (folder.parent / "HEAD").write_text(f"{SECRET}\n")
    PLACES[name](folder, outside)
    with tripwire(outside, folder.parent / "HEAD", folder=folder):
        found = commit_of(folder)
    assert found is not None
    assert found["commit"] is None
    assert SECRET not in str(found)
    assert "git" in found["why"] or "HEAD" in found["why"] or "refs" in found["why"] or "commit" in found["why"]


def test_a_run_starts_nothing_that_its_folder_names(folder: Path) -> None:
    configured(folder, "clean filter")
    text = "\n".join(CONFIGURATIONS.values()).replace("RUN", f'"touch {folder / "executed"} ;"')
    (folder / ".git" / "config").write_text(text)
    (folder / "net.txt").write_text(NET)
    report = Report()
    scene = (
        '[network]\ntype = "file"\npath = "net.txt"\n[system]\ntype = "flow_network"\n'
        "[[clamp]]\nnodes = [0]\nvalue = 0.0\n[[clamp]]\nnodes = [2]\nvalue = 1.0\n[relax]\n"
    )
    said = attempt(scene, folder, report)
    assert report.failures == []
    assert report.outcomes == {"ran": 1}, said
    assert json.loads((folder / "out" / "provenance.json").read_text())["git"] == TOLD
    assert not (folder / "executed").exists()


def test_git_itself_would_start_it(folder: Path) -> None:
    """The traps are not blunt: git, run in the folder, springs one."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git to show it with")
    home = {**os.environ, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run([git, "init", "-q", "."], cwd=folder, env=home, check=True)
    (folder / "file").write_text("one\n")
    subprocess.run([git, "add", "file"], cwd=folder, env=home, check=True)
    with (folder / ".git" / "config").open("a") as config:
        config.write(f'[filter "x"]\n\tclean = "touch {folder / "executed"} ;"\n')
    (folder / ".gitattributes").write_text("* filter=x\n")
    (folder / "file").write_text("two\n")
    found = commit_of(folder)
    assert found is not None
    assert "no commit yet" in found["why"]
    assert not (folder / "executed").exists()
    subprocess.run([git, "status", "--porcelain"], cwd=folder, env=home, check=True, capture_output=True)
    assert (folder / "executed").exists()


def test_commits_that_can_be_told(folder: Path) -> None:
    assert commit_of(folder) is None
    git = plain(folder)
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    assert commit_of(below) == TOLD
    (git / "refs" / "heads" / "main").unlink()
    assert (commit_of(folder) or {})["commit"] is None
    (git / "packed-refs").write_text(
        f"# pack-refs with: peeled\n{SECRET} refs/heads/mainly\n{COMMIT} refs/heads/main\n"
    )
    assert commit_of(folder) == TOLD
    (git / "HEAD").write_text("ref: refs/heads/größe/x-1.2\n")
    (git / "refs" / "heads" / "größe").mkdir()
    (git / "refs" / "heads" / "größe" / "x-1.2").write_text(COMMIT)
    assert commit_of(folder) == TOLD
    (git / "HEAD").write_text("ab" * 32)  # detached, and of the longer kind
    assert commit_of(folder) == {**TOLD, "commit": "ab" * 32}


def test_worktrees_and_submodules(folder: Path) -> None:
    git = plain(folder, SECRET)
    linked, place = folder.parent / "linked", git / "worktrees" / "linked"
    linked.mkdir()
    place.mkdir(parents=True)
    (linked / ".git").write_text(f"gitdir: {place}\n")
    (place / "gitdir").write_text(f"{linked / '.git'}\n")
    (place / "commondir").write_text("../..\n")
    (place / "HEAD").write_text("ref: refs/heads/other\n")
    (git / "refs" / "heads" / "other").write_text(COMMIT)
    assert commit_of(linked) == TOLD
    module = git / "modules" / "part"
    module.mkdir(parents=True)
    (module / "HEAD").write_text(COMMIT)
    (folder / "part").mkdir()
    (folder / "part" / ".git").write_text("gitdir: ../.git/modules/part\n")
    assert commit_of(folder / "part") == TOLD
