"""Where the numbers of a run come from: versions, plugins, seed, machine, threads, the state of the working folder."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.commit import commit_of

if TYPE_CHECKING:
    from sandbox.scene import Scene

PACKAGES = ("taichi", "numpy", "scipy", "sympy", "xarray", "h5netcdf", "scikit-learn")

BITS = ("sandbox", "python", "packages", "plugins", "machine", "blas", "threads")
"""What must be the same for two runs of a scene to be the same bits."""


def provenance(scene: Scene) -> dict[str, Any]:
    """Everything that a run's numbers depend on, and when it started."""
    from importlib.metadata import version

    from sandbox.physics import runtime
    from sandbox.plugins import plugins

    return {
        "sandbox": version("matter-sandbox"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "plugins": [
            {"name": p.name, "package": p.package, "version": p.version} | ({"source": p.source} if p.source else {})
            for p in plugins().found
            if p.state == "loaded"
        ],
        "seed": scene.seed,
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "model": _processor(),
            "cores": os.cpu_count(),
            "host": platform.node(),
        },
        "threads": runtime.threads(),
        "blas": _blas(),
        "git": commit_of(Path.cwd()),
        "started": now(),
    }


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What may change bits and is not the same in two provenances, as it is in the second; each plugin by its name."""
    found = {name: after[name] for name in BITS if name != "plugins" and before.get(name) != after.get(name)}
    then, now = ({p["name"]: (p["version"], p.get("source")) for p in said["plugins"]} for said in (before, after))
    other = {name: now.get(name) for name in {**then, **now} if then.get(name) != now.get(name)}
    return found | {f"plugin {name}": is_now for name, is_now in other.items()}


def _processor() -> str:
    """The processor's model: libraries choose their code by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _blas() -> list[dict[str, Any]]:
    """The libraries behind matrix products, and their threads."""
    import numpy  # noqa: F401 (loads them)
    from threadpoolctl import threadpool_info

    keys = ("internal_api", "version", "architecture", "num_threads")
    found = [{key: pool.get(key) for key in keys} for pool in threadpool_info() if pool["user_api"] == "blas"]
    return sorted(found, key=str)
