"""Run this project and the peers that are installed side by side on the workloads, and write down what came out.

    python -m benchmarks                                # all workloads, all sizes
    python -m benchmarks W1 W3 --sizes 1e3,1e4
    python -m benchmarks W4 --threads 1 --repeats 9
    python -m benchmarks --quick                        # tiny sizes, seconds

Contestants take turns, round by round. Each must reach the same answer; the command fails if one does not. A peer that
is not installed is left out by name. A page for each workload is written to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
WORKLOADS = {
    "W1": "benchmarks.w1_flow",
    "W2": "benchmarks.w2_elastic",
    "W3": "benchmarks.w3_verlet",
    "W4": "benchmarks.w4_learning",
    "W4b": "benchmarks.w4b_elastic",
    "W5": "benchmarks.w5_hopfield",
    "start": "benchmarks.start",
}
POOLS = ("SANDBOX", "OMP", "MKL", "OPENBLAS", "NUMBA")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the number of answers that differ from the reference."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"{', '.join(WORKLOADS)}; all by default")
    parser.add_argument("--sizes", help="numbers of nodes, as 1e3,1e4; those of the workload by default")
    parser.add_argument("--threads", type=int, default=1, help="of everything that has threads; the process is pinned")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--max-seconds", type=float, default=60.0, help="a peer that takes longer to warm up is out")
    parser.add_argument("--behind", type=float, default=12.0, help="a peer this many times slower may give up")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, two rounds")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the pages go")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no workload {unknown[0]!r}; choose from {', '.join(WORKLOADS)}")
    if options.threads < 1 or options.repeats < 1:
        parser.error("--threads and --repeats are at least 1")
    limit_threads(options.threads)
    given = sys.argv[1:] if arguments is None else list(arguments)
    command = " ".join(["python -m benchmarks", *_without_results(given)])
    return sum(run(name, options, command) for name in options.workloads or WORKLOADS)


def run(name: str, options: argparse.Namespace, command: str) -> int:
    """One workload; the number of answers that differ from the reference."""
    # Imported here: the numbers of threads must be set before anything that has threads is imported.
    from benchmarks.report import agrees, write
    from benchmarks.timing import measure

    workload = importlib.import_module(WORKLOADS[name]).WORKLOAD
    sizes = workload.quick if options.quick else workload.sizes
    if options.sizes and len(workload.sizes) > 1:
        sizes = [int(float(size)) for size in options.sizes.split(",")]
    outcomes, page = [], options.results
    late: set[str] = set()
    gave_up: set[str] = set()
    for size in sizes:
        print(f"{name}, {size:,} nodes", flush=True)
        case = workload.case(size, options.quick)
        # Who took too long takes longer still at a larger size.
        contestants = [c for c in workload.contestants if c.name not in late | gave_up]
        outcome = measure(
            contestants, case, 2 if options.quick else options.repeats, options.max_seconds, options.behind
        )
        late |= {who for who, why in outcome.skipped if why.startswith("took")}
        outcome.skipped.extend((name, "gave up on a smaller network") for name in sorted(gave_up))
        gave_up |= {cell.name for cell in outcome.cells if cell.gave_up}
        outcomes.append(outcome)
        page = write(workload, outcomes, command, options.threads, options.results)
    print(page.read_text(encoding="utf-8") if not options.quick else f"wrote {page.name}")
    return sum(not agrees(workload, cell) for outcome in outcomes for cell in outcome.cells)


def limit_threads(threads: int) -> None:
    """Give every pool of threads the same number, and the process as many cores, where the system can."""
    for pool in POOLS:
        os.environ[f"{pool}_NUM_THREADS" if pool != "SANDBOX" else "SANDBOX_THREADS"] = str(threads)
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def _without_results(arguments: Sequence[str]) -> list[str]:
    """The arguments, less where the pages go, which is nobody's business."""
    kept, skip = [], False
    for argument in arguments:
        if not skip and not argument.startswith("--results"):
            kept.append(argument)
        skip = argument == "--results"
    return kept


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
