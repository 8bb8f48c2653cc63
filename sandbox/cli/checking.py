"""Check the physics on this machine, and what plugins register."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sandbox.cli.options import AsJson


def validate(as_json: AsJson = False) -> None:
    """Check the physics on this machine against closed forms, SciPy, conservation laws and the theory."""
    from sandbox.validation import validate

    checks = list(validate())
    if as_json:
        typer.echo(json.dumps([check.row() for check in checks], indent=2))
    else:
        from sandbox.validation.check import print_table

        print_table("Physics on this machine", checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def check(
    name: Annotated[str, typer.Argument(metavar="PLUGIN", help="name of a plugin (see `sandbox plugins`), or FILE.py")],
    as_json: AsJson = False,
) -> None:
    """Measure whether what a plugin registers keeps what the bench and the controllers rely on."""
    from sandbox.testing.command import check_plugin

    raise typer.Exit(0 if check_plugin(name, as_json) else 1)
