"""Running a scene: learn, relax or move, with progress, and leave a folder behind."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import results, scene
from sandbox.plugins import plugins
from sandbox.report import Reporter, Silent
from sandbox.results import Run

if TYPE_CHECKING:
    import xarray as xr

    from sandbox.build import Setup


@dataclass(eq=False)
class Experiment:
    """A scene that is ready to run.

    ``setup`` holds what it builds (network, system, apparatus, bench, task), each made on first use.
    """

    scene: scene.Scene
    setup: Setup = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from sandbox.build import Setup

        self.setup = Setup(self.scene)

    def run(self, out: str | Path | None = None, reporter: Reporter | None = None) -> Run:
        """Run the scene once and write its folder.

        Args:
            out: the folder, which must not exist or be empty; ``runs/<scene>-<time>`` by default.
            reporter: told of progress.

        Raises:
            SandboxError: for whatever the scene asks that cannot be had; no folder is left behind then.
        """
        from sandbox.build import Setup

        reporter = reporter or Silent()
        self.setup = Setup(self.scene)  # a run starts from the scene, not from where an earlier run left the bench
        self.setup.check()
        with results.new_folder(self.scene, out) as folder:
            return self._run_in(folder, reporter)

    def _run_in(self, folder: Path, reporter: Reporter) -> Run:
        from sandbox.pictures import draw

        results.begin(folder, self.scene)
        for problem in plugins().notify("run_started", scene=self.scene.resolved(), folder=folder):
            reporter.warn(problem)
        began = time.perf_counter()
        data, figures = self._do(reporter)
        figures["seconds"] = time.perf_counter() - began
        data.attrs |= {"scene": self.scene.name, "title": self.scene.title, "seed": self.scene.seed}
        data.attrs |= {name: value for name, value in figures.items() if name != "seconds"}
        results.finish(folder, data, figures)
        reporter.start("drawing", 1)
        pictures = draw(self.setup, data, folder)
        for problem in plugins().notify("run_ended", folder=folder, figures=figures):
            reporter.warn(problem)
        return Run(folder, data, figures, pictures)

    def _do(self, reporter: Reporter) -> tuple[xr.Dataset, dict[str, Any]]:
        from sandbox import doing

        if self.scene.training is not None:
            return doing.learn(self.setup, reporter)
        if self.scene.relax is not None:
            return doing.relax(self.setup, reporter)
        return doing.move(self.setup, reporter)


def load(name: str | Path, changes: Iterable[str] = (), *, seed: int | None = None, **sections: Any) -> Experiment:
    """An experiment from a scene: its file, or the name of one that comes with the sandbox.

    Args:
        changes: ``"key=value"`` texts as for ``--set`` on the command line.
        seed: in place of the scene's.
        sections: replacements for keys of whole sections, for example ``training={"epochs": 5}``.

    Raises:
        SandboxError: every mistake in the scene, with its key.
    """
    return Experiment(scene.read(name, changes, seed, sections))
