"""Starting costs nothing that is not needed: what a bare import and ``--help`` load, and that kernels are cached."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = [
    "taichi",
    "numpy",
    "scipy",
    "sympy",
    "xarray",
    "matplotlib",
    "pydantic",
    "networkx",
    "sklearn",
    "typer",
    "rich",
]
HELP = """
import sys
sys.argv = ["sandbox", {arguments}]
from sandbox.cli import main
try:
    main()
except SystemExit:
    pass
"""
REPORT = "\nimport sys; print('LOADED', *(m for m in {modules!r} if m in sys.modules))"


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT.format(modules=HEAVY)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_import_is_bare() -> None:
    assert loaded("import sandbox") == set()


def test_the_check_can_fail() -> None:
    assert "numpy" in loaded("import sandbox; sandbox.Boundary")


def test_a_scene_of_known_laws_needs_no_symbols() -> None:
    code = "import sandbox; a = sandbox.load('iris_flow').setup.apparatus; a.settle()"
    assert "taichi" in (modules := loaded(code))
    assert "sympy" not in modules


@pytest.mark.parametrize("arguments", ["'--help'", "'run', '--help'", "'plugins', '--help'"])
def test_help_loads_the_command_line_only(arguments: str) -> None:
    assert loaded(HELP.format(arguments=arguments)) <= {"typer", "rich", "pydantic"}  # pydantic: typer's own


def test_list_of_names_is_complete_and_lazy() -> None:
    import sandbox

    for name in sandbox.__all__:
        assert getattr(sandbox, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sandbox.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_a_lock_that_a_killed_process_left_does_not_end_caching(tmp_path: Path) -> None:
    lock = tmp_path / "ticache.lock"
    lock.touch()
    os.utime(lock, (time.time() - 3600.0,) * 2)
    code = """
import numpy as np
import taichi as ti
from sandbox.physics import runtime
runtime.start()

@ti.kernel
def double(x: ti.types.ndarray(dtype=ti.f64, ndim=1)):
    for i in x:
        x[i] = 2.0 * x[i]

double(np.ones(3))
"""
    (tmp_path / "program.py").write_text(code)
    environment = os.environ | {"TI_OFFLINE_CACHE_FILE_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Lock" not in done.stderr
    assert list(tmp_path.glob("*.tic"))
