"""Threads: as many as were asked for, else as many as the process may use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.physics import processors

WRONG = ("auto", "4,2", "-1", "2.0", "1e3", "٣", "0x2", "4097", "9" * 400, "two", "+2", "1_0")


@pytest.mark.parametrize(("value", "wanted"), [("", None), ("0", None), ("  ", None), ("1", 1), (" 12\n", 12)])
def test_asked(value: str, wanted: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_THREADS", value)
    assert processors.asked() == wanted
    assert processors.threads() == (wanted or processors.available())


@pytest.mark.parametrize("value", WRONG)
def test_no_number_of_threads(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_THREADS", value)
    with pytest.raises(SandboxError, match=r"the environment variable SANDBOX_THREADS is .*; expected a whole number"):
        processors.threads()


def test_the_command_says_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from sandbox.cli import main; main()", "run", "lattice_stretch", "--out", "out"],
        cwd=tmp_path,
        env=os.environ | {"SANDBOX_THREADS": "auto"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.strip().startswith("error: the environment variable SANDBOX_THREADS is 'auto'")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is a matter of Linux")
def test_affinity() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from sandbox.physics import runtime; print(runtime.threads())"
    )
    here = {name: value for name, value in os.environ.items() if name != "SANDBOX_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], env=here, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


def groups(root: Path, **limits: str) -> None:
    """Write files of control groups: ``a__b`` is the folder a/b."""
    for name, content in limits.items():
        *folders, file = name.split("__")
        place = root.joinpath(*folders)
        place.mkdir(parents=True, exist_ok=True)
        (place / file.replace("_dot_", ".")).write_text(content)


@pytest.mark.parametrize(
    ("limits", "quota"),
    [
        ({}, None),
        ({"cpu_dot_max": "150000 100000\n"}, 1.5),  # the root of a container
        ({"job__cpu_dot_max": "max 100000\n"}, None),
        ({"job__cpu_dot_max": "max 100000\n", "job__step__cpu_dot_max": "300000 100000\n"}, 3.0),
        ({"job__cpu_dot_max": "200000 100000\n", "job__step__cpu_dot_max": "800000 100000\n"}, 2.0),
        ({"job__step__cpu_dot_max": "nonsense\n"}, None),
    ],
)
def test_quota(limits: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    groups(tmp_path / "cgroup", **limits)
    (tmp_path / "member").write_text("0::/job/step\n")
    assert processors._quota(tmp_path / "member", tmp_path / "cgroup") == quota


def test_quota_of_the_first_version(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    groups(root / "cpu", job__cpu_dot_cfs_quota_us="50000\n", job__cpu_dot_cfs_period_us="100000\n")
    (tmp_path / "member").write_text("4:memory:/job\n3:cpu,cpuacct:/job\n1:name=systemd:/job\n")
    assert processors._quota(tmp_path / "member", root) == 0.5
    (root / "cpu" / "job" / "cpu.cfs_quota_us").write_text("-1\n")
    assert processors._quota(tmp_path / "member", root) is None


def test_a_part_of_a_processor_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_quota", lambda *_: 0.5)
    assert processors.available() == 1
