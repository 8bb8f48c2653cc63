"""How much faster two workers make a sweep than one: ``python -m benchmarks.sweep`` writes docs/results/sweep.md.

The same runs are made on one worker process and on two, each with one thread, from the start of the workers to the
dataset of the sweep; other work on the machine makes the figures worthless, so its load is noted.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import xarray as xr

import sandbox

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "sweep.md"


def sweep(workers: int, runs: int, epochs: int, folder: Path) -> tuple[float, xr.Dataset]:
    """Seconds by the clock, and the dataset."""
    began = time.perf_counter()
    changes = [f"training.epochs={epochs}"]
    data = sandbox.sweep("iris_flow", seeds=range(runs), changes=changes, out=folder / f"{workers}", workers=workers)
    return time.perf_counter() - began, data


def main() -> None:
    """Make both sweeps and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--out", type=Path, default=PAGE)
    asked = parser.parse_args()
    os.environ |= {"SANDBOX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = {n: sweep(n, asked.runs, asked.epochs, Path(folder)) for n in (1, 2)}
    one, two = (seconds for seconds, _ in found.values())
    each = {n: float(data["seconds"].mean()) for n, (_, data) in found.items()}
    bits = [data.drop_vars("seconds").drop_attrs() for _, data in found.values()]
    same = "the same, to the last bit" if bits[0].identical(bits[1]) else "**not the same**"
    runs, epochs = asked.runs, asked.epochs
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    text = f"""# A sweep on two workers

`python -m benchmarks.sweep --runs {runs} --epochs {epochs}`: {runs} runs of `iris_flow`, of {epochs} epochs each and
with a seed of its own, on worker processes of one thread; by the clock, from the call to the dataset, the start of
the workers included.

| workers | seconds | seconds within a run, mean |
| --: | --: | --: |
| 1 | {one:.1f} | {each[1]:.2f} |
| 2 | {two:.1f} | {each[2]:.2f} |

Two workers are **{one / two:.2f} times** as fast as one; asked for: 1.8. The results of both sweeps are {same}.

{machine}, version {sandbox.__version__};
load of the machine in the minute before: {load:.1f}.
"""
    asked.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
