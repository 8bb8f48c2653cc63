"""The example learns."""

from pathlib import Path

import sandbox

EXAMPLE = Path(__file__).parent.parent / "example.toml"


def test_example_learns(tmp_path):
    run = sandbox.load(EXAMPLE).run(tmp_path / "run", pictures=False)
    losses = run.data["train_loss"].values
    assert losses[-1] < 1e-7
    assert losses[-1] < 1e-4 * losses[0]
