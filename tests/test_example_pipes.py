"""The package in examples/sandbox-pipes, installed as a third party's would be, passes its own tests."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "sandbox-pipes"


def test_the_package_passes_its_own_tests(tmp_path: Path) -> None:
    missing = [name for name in ("wntr", "pip", "hatchling") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[dev]'")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
    install = ("-m", "pip", "install", *options, "--target", str(tmp_path / "site"), str(EXAMPLE))
    tests = ("-m", "pytest", "-p", "no:cacheprovider", str(EXAMPLE))
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    for words in (install, tests):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout
