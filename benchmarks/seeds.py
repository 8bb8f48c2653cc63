"""Run a learning scene over many seeds and record the figures of merit as a table.

    python -m benchmarks.seeds iris_flow --seeds 10
    python -m benchmarks.seeds allostery_elastic --seeds 20 --figure "train strain error"

Writes docs/results/<scene>.md: a row per seed, the mean and standard deviation, and the command.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import sandbox
from sandbox.events import Kind

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene")
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0")
    parser.add_argument("--figure", default="test accuracy", help="the figure that is averaged")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(dict(sandbox.load(options.scene, options.changes, seed=seed).run(Path(folder) / "run").figures))
        print(seed, rows[-1], flush=True)
    names = list(dict.fromkeys(name for row in rows for name in row if name != "seconds"))
    values = np.array([row[options.figure] for row in rows])
    command = f"python -m benchmarks.seeds {options.scene} --seeds {options.seeds} --figure {options.figure!r}"
    command += "".join(f" --set {change}" for change in options.changes)
    late = [str(seed) for seed, row in enumerate(rows) if row.get(Kind.MISSED.value)]
    missed = (
        [f"`training.stop_loss` missed by {len(late)} of {len(rows)}: seed(s) {', '.join(late)}.", ""] if late else []
    )
    lines = [
        f"# {options.scene}, {options.seeds} seeds",
        "",
        f"`{command}`",
        "",
        f"**{options.figure}: {values.mean():.4f} ± {values.std(ddof=1):.4f}** (mean and standard deviation), "
        f"from {values.min():.4f} to {values.max():.4f}.",
        "",
        *missed,
        "| seed | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
        *(
            f"| {seed} | " + " | ".join(f"{row.get(name, 0):.6g}" for name in names) + " |"
            for seed, row in enumerate(rows)
        ),
        "",
    ]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{options.scene}.md").write_text("\n".join(lines), encoding="utf-8")
    print(f"{options.figure}: {values.mean():.4f} ± {values.std(ddof=1):.4f}")


if __name__ == "__main__":
    main()
