"""The same scene and seed give the same bits, in any process, with one thread and with two."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

CASES = {
    "replayed": ("iris_flow", ["training.epochs=2"]),
    "batches": ("iris_flow", ["training.epochs=1", "training.batch=4"]),
    "motion": ("lattice_vibration", []),
    "motion by node": ("lattice_vibration", ["network.shape=[90, 90]", "dynamics.steps=200"]),
    "heat": ("lattice_vibration", ["dynamics.temperature=0.01", "system.damping=0.3", "dynamics.steps=200"]),
    "fused": ("lattice_stretch", []),
    "newton": ("lattice_stretch", ["relax.method='newton'", "network.shape=[60, 60]"]),
    "fire": ("lattice_stretch", ["relax.method='fire'", "network.shape=[8, 8]", "relax.tolerance=1e-6"]),
    "layered": ("digits_hopfield", ["training.epochs=1", "task.test_fraction=0.9"]),
}

CODE = """
import sys, json, tempfile
sys.path.insert(0, sys.argv[1])
from test_bits import CASES, bits
import sandbox
print(json.dumps({name: bits(sandbox.load(*case)) for name, case in CASES.items()}))
"""


def bits(experiment) -> str:
    """A hash of all arrays that a run leaves, in the order of their names."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        data = experiment.run(f"{folder}/run", pictures=False).data
    total = hashlib.sha256()
    for name in sorted(map(str, data.variables)):
        total.update(name.encode())
        total.update(np.ascontiguousarray(data[name].to_numpy()).tobytes())
    return total.hexdigest()


def elsewhere(threads: int) -> dict[str, str]:
    environment = os.environ | {"SANDBOX_THREADS": str(threads)}
    command = [sys.executable, "-c", CODE, os.path.dirname(__file__)]  # noqa: PTH120
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found() -> list[dict[str, str]]:
    return [elsewhere(threads) for threads in (1, 2)]


@pytest.mark.parametrize("name", CASES)
def test_one_thread_and_two(name: str, found: list[dict[str, str]]) -> None:
    assert found[0][name] == found[1][name]


def test_the_hash_sees_a_difference(found: list[dict[str, str]]) -> None:
    assert len(set(found[0].values())) == len(CASES)
