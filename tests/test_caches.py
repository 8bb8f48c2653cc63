"""Caches where there is no home to keep them in: containers, clusters, services."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sandbox import caches

LAST = """
import os, sandbox
import taichi
import matplotlib
print(os.environ.get("XDG_CACHE_HOME"), matplotlib.get_configdir())
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of its own, and no caches named."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")  # so that what is set here is put back
        monkeypatch.delenv(name)
    return place


def private(temporary: Path) -> Path:
    return temporary / f"matter-sandbox-{os.geteuid()}"


def test_a_home_is_left_alone(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    caches.settle()
    assert "XDG_CACHE_HOME" not in os.environ
    assert "MPLCONFIGDIR" not in os.environ
    assert caches.folder() == tmp_path / ".cache"
    assert not list(temporary.iterdir())


def test_a_home_that_is_not_there(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    caches.settle()
    assert caches.folder() == private(temporary)
    assert os.environ["MPLCONFIGDIR"] == str(private(temporary) / "matplotlib")
    assert private(temporary).stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "nowhere").exists()


def test_a_place_that_cannot_be_made(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "caches"))
    caches.settle()
    assert caches.folder() == private(temporary)


def test_a_place_that_can_be_made(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "far" / "below"))
    caches.settle()
    assert caches.folder() == tmp_path / "far" / "below"


@pytest.mark.parametrize("how", ["open to others", "a link", "a file"])
def test_somebody_was_there_before(how: str, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled kernels are run, so nobody else may be able to write them."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if how == "open to others":
        private(temporary).mkdir()
        private(temporary).chmod(0o777)
    elif how == "a link":
        private(temporary).symlink_to(elsewhere)
    else:
        private(temporary).write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    caches.settle()
    assert os.environ["XDG_CACHE_HOME"] == caches.NOWHERE
    assert not caches.writable(caches.folder() / "taichi", made=True)


@pytest.mark.parametrize("home", [None, "nowhere"])
def test_programs_start(home: str | None, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taichi aborts without HOME unless it is told of another place, and Matplotlib makes a new one every time."""
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", str(tmp_path / home))
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", LAST], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "temporary cache directory" not in done.stderr
    if home is not None:
        assert done.stdout.split()[-2:] == [str(private(temporary)), str(private(temporary) / "matplotlib")]


def test_no_place_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.physics import runtime

    monkeypatch.delenv("TI_OFFLINE_CACHE_FILE_PATH", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", caches.NOWHERE)
    with pytest.warns(UserWarning, match="compiled kernels are not kept.*XDG_CACHE_HOME"):
        assert not runtime._can_cache()
