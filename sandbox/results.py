"""What a run leaves behind: a folder with the resolved scene, provenance, a dataset and figures."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.errors import RunError

if TYPE_CHECKING:
    import xarray as xr

    from sandbox.scene import Scene

SCENE, PROVENANCE, DATA, SUMMARY = "scene.toml", "provenance.json", "data.nc", "summary.json"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        folder: where it is.
        data: the dataset, as :func:`sandbox.open` gives it back.
        figures: its figures of merit by name.
        pictures: files of its figures.
    """

    folder: Path
    data: xr.Dataset
    figures: Mapping[str, float]
    pictures: list[Path] = field(default_factory=list)

    def __repr__(self) -> str:
        figures = ", ".join(f"{k} {v:.4g}" for k, v in self.figures.items())
        return f"Run({str(self.folder)!r}: {figures})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{k}</td><td>{v:.5g}</td></tr>" for k, v in self.figures.items())
        return f"<b>{self.folder.name}</b><table>{rows}</table>"


@contextmanager
def new_folder(scene: Scene, out: str | Path | None) -> Iterator[Path]:
    """Make the folder of a run: ``out``, or ``runs/<scene>-<time>`` under the working directory.

    If the run fails, what was made is taken back, unless more lies in it by then than what a run begins with.

    Raises:
        RunError: if it exists and is not empty, or cannot be made.
    """
    if out is not None:
        path = Path(out)
    else:
        stem = f"{scene.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
        path = next(
            p for n in range(1, 10_000) if not (p := Path("runs") / (stem if n == 1 else f"{stem}-{n}")).exists()
        )
    try:
        made = [p for p in (path, *path.parents) if not p.exists()]
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path} exists and is not an empty folder; choose another with --out")
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"the run folder {path} cannot be made: {error.strerror}") from error
    try:
        yield path
    except BaseException:
        _take_back(path, made)
        raise


def _take_back(path: Path, made: list[Path]) -> None:
    """Remove a folder that holds nothing but the beginning of a run, and the folders ``made`` for it, if empty."""
    if {p.name for p in path.iterdir()} <= {SCENE, PROVENANCE}:
        for name in (SCENE, PROVENANCE):
            (path / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty: someone else's folder by now
            for folder in made:
                folder.rmdir()


def write_atomically(path: Path, write: Any) -> None:
    """Call ``write(temporary_path)`` and move the result into place, so that no half-written file is left.

    Raises:
        RunError: if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        write(temporary)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))


def begin(folder: Path, scene: Scene) -> None:
    """Write the resolved scene and where the numbers come from."""
    import tomli_w

    write_text(folder / SCENE, tomli_w.dumps(scene.resolved()))
    write_text(folder / PROVENANCE, json.dumps(provenance(scene), indent=2))


def provenance(scene: Scene) -> dict[str, Any]:
    """Versions, plugins, seed and machine."""
    from importlib.metadata import version

    import sandbox
    from sandbox.physics import runtime
    from sandbox.plugins import plugins

    return {
        "sandbox": sandbox.__version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("taichi", "numpy", "scipy", "sympy", "xarray")},
        "plugins": [
            {"name": p.name, "package": p.package, "version": p.version} for p in plugins().found if p.state == "loaded"
        ],
        "seed": scene.seed,
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "threads": runtime.threads(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def finish(folder: Path, data: xr.Dataset, figures: Mapping[str, float]) -> None:
    """Write the dataset and the figures of merit."""
    compact = {name: {"zlib": True, "complevel": 3} for name, v in data.data_vars.items() if v.size > 64}

    def write(path: Path) -> None:
        data.to_netcdf(path, engine="h5netcdf", encoding=compact)

    write_atomically(folder / DATA, write)
    write_text(folder / SUMMARY, json.dumps(dict(figures), indent=2))


def open_run(folder: str | Path) -> xr.Dataset:
    """The dataset of a run folder, in memory.

    Raises:
        RunError: if the folder is not a complete run.
    """
    import xarray as xr

    path = Path(folder) / DATA
    if not path.is_file():
        why = "the run did not finish" if (Path(folder) / SCENE).is_file() else "it is not the folder of a run"
        raise RunError(f"{folder} has no {DATA}: {why}")
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
