"""The packages in examples/: each passes its own tests, found by its entry points, not installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PACKAGES = sorted(path.parent for path in EXAMPLES.glob("*/pyproject.toml"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_example_passes_its_tests(package: Path, tmp_path: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        module = requirement.split(">")[0].split("<")[0].split("=")[0].strip().replace("-", "_")
        if module != "matter_sandbox" and importlib.util.find_spec(module) is None:
            pytest.skip(f"{package.name} needs {module}")
    # What an installation would leave on the path: the module, and metadata with its entry points.
    points = project["entry-points"]["sandbox"]
    metadata = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (metadata / "entry_points.txt").write_text(
        "[sandbox]\n" + "".join(f"{name} = {module}\n" for name, module in points.items())
    )
    paths = (str(tmp_path), str(package / "src"), os.environ.get("PYTHONPATH", ""))
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    done = subprocess.run(
        [*pytest_, "-c", package / "pyproject.toml", package / "tests"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
