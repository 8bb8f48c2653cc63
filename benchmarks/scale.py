"""What an edge costs as networks grow: memory and time of one relaxation, or of one step of dynamics, to 10^6 nodes.

    python -m benchmarks.scale                     # writes benchmarks/results/scale.md
    python -m benchmarks.scale flow elastic --sizes 1e4,1e5
    python -m benchmarks.scale petsc --sizes 1e4,1e5

Each case is a process of its own with one thread. Times are processor seconds of that process, which other work on the
machine disturbs less than it does the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "results" / "scale.md"
SIZES = (10_000, 100_000, 1_000_000)
WARM = 6_000
"""Nodes of a network that is relaxed first, so that kernels are compiled."""

STEPS = 20
TOLERANCE = 1e-8


def flow(size: int, method: str = "auto") -> tuple[int, int, Callable[[], str]]:
    """Pressures of a linear flow network."""
    import numpy as np

    import sandbox
    from benchmarks import graphs
    from sandbox.physics.laws import CONDUCTANCE

    data = graphs.flow(size)
    clamped = np.flatnonzero(data.clamped)
    boundary = sandbox.Boundary.free(data.network.n_nodes, 1).clamp(clamped, data.values[clamped])
    material = sandbox.Material(data.network, CONDUCTANCE, {"k": data.k})
    return (*_counts(data.network), lambda: material.relax(boundary, tolerance=TOLERANCE, method=method).method)


def elastic(size: int, method: str = "auto") -> tuple[int, int, Callable[[], str]]:
    """A stretched network of springs in true geometry."""
    import numpy as np

    import sandbox
    from benchmarks import graphs
    from sandbox.physics.laws import SPRING

    data = graphs.elastic(size)
    network, clamped = data.network, np.flatnonzero(data.clamped)
    boundary = sandbox.Boundary.free(network.n_nodes, 2).clamp(clamped, data.start[clamped])
    material = sandbox.Material(network, SPRING, {"k": 1.0, "l": data.rest})
    start = data.start[None]
    return (
        *_counts(network),
        lambda: material.relax(boundary, start=start, tolerance=TOLERANCE, method=method).method,
    )


def dynamics(size: int) -> tuple[int, int, Callable[[], str]]:
    """Velocity Verlet on a square lattice with diagonals, a run of 20 steps."""
    import sandbox
    from benchmarks import graphs
    from sandbox.physics.dynamics import simulate
    from sandbox.physics.laws import SPRING

    data = graphs.lattice(size)
    boundary = sandbox.Boundary.free(data.network.n_nodes, 2)
    material = sandbox.Material(data.network, SPRING, {"k": 1.0, "l": data.rest})

    def run() -> str:
        simulate(material, boundary, time_step=0.05, steps=STEPS, masses=1.0, every=STEPS)
        return "velocity Verlet"

    return (*_counts(data.network), run)


CASES: dict[str, Callable[[int], tuple[int, int, Callable[[], str]]]] = {
    "flow": flow,
    "elastic": elastic,
    "dynamics": dynamics,
    "petsc": lambda size: flow(size, "petsc"),
    "petsc elastic": lambda size: elastic(size, "petsc"),
}
DEFAULT = ("flow", "elastic", "dynamics")


def _counts(network) -> tuple[int, int]:
    return network.n_nodes, network.n_edges


def measure(case: str, size: int) -> dict[str, object]:
    """One case in this process: nodes, edges, seconds of the first run and of the next, bytes."""
    CASES[case](WARM)[2]()
    before = _resident()
    nodes, edges, run = CASES[case](size)
    built = _resident()
    times, method = [], ""
    for _ in range(3):
        began = time.process_time()
        method = run()
        times.append(time.process_time() - began)
    peak = _most_resident()
    work = STEPS if case == "dynamics" else 1
    return {
        "case": case,
        "nodes": nodes,
        "edges": edges,
        "method": method,
        "first": times[0] / work,
        "again": min(times[1:]) / work,
        "network": built - before,
        "peak": peak - before,
    }


def _most_resident() -> int:
    """Since this program began; ``ru_maxrss`` would count what the process that started it had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure all cases and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"{', '.join(CASES)}; {', '.join(DEFAULT)} by default")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--one", action="store_true", help="one case in this process, as JSON")
    parser.add_argument("--out", type=Path, default=PAGE)
    wanted = parser.parse_args()
    sizes = [int(float(s)) for s in wanted.sizes.split(",")]
    if wanted.one:
        print(json.dumps(measure(wanted.cases[0], sizes[0])))
        return
    environment = os.environ | {f"{pool}_NUM_THREADS": "1" for pool in ("OMP", "OPENBLAS")} | {"SANDBOX_THREADS": "1"}
    rows = []
    for case in wanted.cases or DEFAULT:
        for size in sizes:
            command = [sys.executable, "-m", "benchmarks.scale", case, "--sizes", str(size), "--one"]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(_row(json.loads(done.stdout.splitlines()[-1])))
            print(rows[-1], flush=True)
    wanted.out.write_text(_page(rows), encoding="utf-8")


def _row(found: dict) -> str:
    edges = found["edges"]
    nanoseconds = [f"{1e9 * found[name] / edges:,.0f}" for name in ("first", "again")]
    return (
        f"| {found['case']} | {found['nodes']:,} | {edges:,} | {found['method']} | {found['first']:.3g} | "
        f"{nanoseconds[0]} | {nanoseconds[1]} | {found['network'] / edges:,.0f} | {found['peak'] / edges:,.0f} | "
        f"{found['peak'] / 1e9:.2f} |"
    )


def _page(rows: list[str]) -> str:
    head = (
        "| case | nodes | edges | method | first, s | first, ns/edge | again, ns/edge | network, B/edge | "
        "peak, B/edge | peak, GB |"
    )
    return "\n".join(
        [
            "# What an edge costs",
            "",
            "`python -m benchmarks.scale`, one thread; processor seconds, of dynamics for one step; memory above that",
            "of a process that has relaxed a small network.",
            "",
            head,
            "| --- | --: | --: | --- | --: | --: | --: | --: | --: | --: |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
