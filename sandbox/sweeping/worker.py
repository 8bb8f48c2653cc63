"""What a worker does: one run in its folder, begun or gone on with, and how it ended."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sandbox import __version__, manifest, results, run, scene
from sandbox.errors import InUse, PluginFault, RunError, SandboxError
from sandbox.files import read_text
from sandbox.forking import ProcessLock
from sandbox.physics import processors
from sandbox.plugins import use

PATIENCE = 60.0
"""Seconds to wait for a folder that another process holds: one that was given up by its scheduler may still end."""


@dataclass(frozen=True)
class Job:
    """A run to be made.

    Attributes:
        name: of the run, for people.
        scene: the resolved scene, as TOML.
        folder: of the run, absolute.
        plugins: files of plugins to load before.
        places: folders in which the scene's files are looked for, absolute.
        sources: digests of the plugins' sources by name.
        version: of the sandbox that asks.
    """

    name: str
    scene: str
    folder: str
    checkpoint_every: float
    pictures: bool
    strict: bool
    plugins: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        error: empty if it is complete.
        passing: whether the error may not come again: the disk, the memory, a fault of the program; not the scene's.
        trace: of a fault of the program.
        figures: figures of merit.
        resumed: how often the run was taken up again.
    """

    error: str = ""
    passing: bool = False
    trace: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    resumed: int = 0

    @property
    def state(self) -> Literal["complete", "failed"]:
        return "failed" if self.error else "complete"


_thread: list[ThreadPoolExecutor] = []
_making = ProcessLock()


def work(job: Job) -> Outcome:
    """Make the run.

    A process has one thread for this, whatever threads the worker has: runs share Taichi's runtime, and rounding of
    the smallest numbers is that of the thread that started it.
    """
    with _making:
        if not _thread:
            _share_threads()
            _thread.append(ThreadPoolExecutor(1, thread_name_prefix="sandbox"))
    return _thread[0].submit(outcome, job).result()


def _share_threads() -> None:
    """Kernels get as many threads as the worker has, unless ``SANDBOX_THREADS`` says otherwise."""
    from distributed import get_worker

    if processors.asked() is None:
        os.environ[processors.VARIABLE] = str(get_worker().state.nthreads)


def outcome(job: Job) -> Outcome:
    """Make the run in this process; errors are in what is returned."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _made(job)
        except InUse as error:
            if time.monotonic() > deadline:
                return Outcome(str(error), passing=True)
            time.sleep(0.2)
        except RunError as error:
            return Outcome(str(error), passing=True)
        except PluginFault as error:  # a fault of a program, though named
            return Outcome(str(error), passing=True, trace=traceback.format_exc())
        except SandboxError as error:
            return Outcome(str(error))
        except Exception as error:
            return Outcome(f"{type(error).__name__}: {error}", passing=True, trace=traceback.format_exc())


def _made(job: Job) -> Outcome:
    if job.version != __version__:
        raise SandboxError(f"this worker has version {__version__} of the sandbox, and {job.version} asked for the run")
    for file in job.plugins:
        plugin = use(file)
        if job.sources.get(plugin.name, plugin.source) != plugin.source:
            raise SandboxError(f"this worker has another plugin file {file} than the process that asked for the run")
    folder = Path(job.folder)
    if (folder / results.SCENE).is_file():
        _check_scene(job, folder)
        done = run.resume(folder, checkpoint_every=job.checkpoint_every, pictures=job.pictures)
    else:
        valid = scene.validate(scene.parse_toml(job.scene), job.name).placed(map(Path, job.places))
        experiment = run.Experiment(valid)
        done = experiment.run(folder, checkpoint_every=job.checkpoint_every, pictures=job.pictures, strict=job.strict)
    return complete(folder, done.figures)


def complete(folder: Path, figures: Mapping[str, Any]) -> Outcome:
    """The outcome of a run that is complete."""
    found = manifest.read(folder)
    return Outcome(figures=dict(figures), resumed=len(found.resumed) if found else 0)


def _check_scene(job: Job, folder: Path) -> None:
    if read_text(folder / results.SCENE) != job.scene:
        raise RunError(f"the run in {folder} is of another scene than {job.name}; remove the folder to make it again")
