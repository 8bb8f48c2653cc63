"""Arguments and options that several commands have, and the loading of plugins that all of them offer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SceneName = Annotated[str, typer.Argument(help="name of a scene (see `sandbox list`) or path of a .toml file")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a key of the scene; may be repeated")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="in place of the scene's seed")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
PluginFiles = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE.py", help="load a plugin from a file; may be repeated")
]
CheckpointEvery = Annotated[
    float, typer.Option("--checkpoint-every", min=0, metavar="SECONDS", help="how often the state of the run is saved")
]


def use(files: list[Path] | None) -> None:
    """Load the plugins given by ``--plugin``."""
    if files:
        from sandbox import plugins

        for file in files:
            plugins.use(file)
