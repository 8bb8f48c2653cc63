"""Third parties: packages of `sandbox new-plugin`, built as wheels, installed into an environment of their own.

The environment sees what is installed here, so that nothing is fetched; what it has itself are the plugins.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.errors import SandboxError
from sandbox.scaffold import new_plugin

KINDS = ("system", "controller", "task")


class Environment:
    """A virtual environment in which commands are run."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        here = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})["purelib"]
        # Through addsitedir, so that editable installs here are seen too.
        Path(here, "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")

    def python(self, *words: str | Path, cwd: Path, code: int = 0) -> str:
        done = subprocess.run(
            [self.bin / "python", *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def install(self, *words: str | Path, cwd: Path) -> None:
        options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
        self.python("-m", "pip", "install", *options, *words, cwd=cwd)

    def sandbox(self, *words: str, cwd: Path) -> str:
        return self.python("-c", "from sandbox.cli import main; main()", *words, cwd=cwd)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Path]:
    """Three generated packages: two installed as wheels, one editable."""
    for module in ("pip", "hatchling"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("plugins")
    environment = Environment(folder / "env")
    for kind in KINDS:
        new_plugin(f"sandbox-my-{kind}", kind, folder / kind)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", "wheels")
    environment.python("-m", "pip", "wheel", *options, "./system", "./controller", cwd=folder)
    wheels = sorted((folder / "wheels").glob("*.whl"))
    assert [wheel.name.split("-")[0] for wheel in wheels] == ["sandbox_my_controller", "sandbox_my_system"]
    environment.install(*wheels, cwd=folder)
    environment.install("-e", "./task", cwd=folder)
    return environment, folder


def test_installed_plugins_are_found_and_used_from_scenes(installed: tuple[Environment, Path]) -> None:
    environment, folder = installed
    rows = {row["name"]: row for row in json.loads(environment.sandbox("plugins", "--json", cwd=folder))}
    for kind in KINDS:
        row = rows[f"sandbox_my_{kind}"]
        assert (row["state"], row["package"], row["version"]) == ("loaded", f"sandbox-my-{kind}", "0.1.0")
        assert row["registered"] == [f"{kind} my_{kind}"]
    environment.sandbox("run", "system/example.toml", "--set", "training.epochs=2", "--out", "out", cwd=folder)
    told = json.loads((folder / "out" / "provenance.json").read_text())["plugins"]
    mine = next(row for row in told if row["name"] == "sandbox_my_system")
    assert (mine["package"], mine["version"]) == ("sandbox-my-system", "0.1.0")


def test_generated_tests_pass(installed: tuple[Environment, Path]) -> None:
    environment, folder = installed
    suites = [str(folder / kind / "tests") for kind in KINDS]
    said = environment.python(
        "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", *suites, cwd=folder
    )
    assert "12 passed" in said, said[-2000:]


def test_names_and_folders_that_cannot_be(tmp_path: Path) -> None:
    for name in ("3rd", "a b", "../up", "class", "sandbox", "-x"):
        with pytest.raises(SandboxError, match="cannot be"):
            new_plugin(name, "task", tmp_path / "none")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SandboxError, match="not an empty folder"):
        new_plugin("fine", "task", tmp_path)
    done = CliRunner().invoke(app, ["new-plugin", "fine", "--task", "--system", "--folder", str(tmp_path / "x")])
    assert "give one of" in str(done.exception)
    assert not (tmp_path / "x").exists()
