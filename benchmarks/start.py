"""Start-up: from the start of a process to the first equilibrium of a small scene."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

import numpy as np

import sandbox
from benchmarks.timing import Case, Contestant, Phase
from benchmarks.workload import Workload

FIRST = {
    21: ("iris_flow", "(setup.apparatus.clamp(setup.task.inputs[0]), setup.apparatus.read())[1]"),
    30: ("xor_diode", "(setup.apparatus.clamp(setup.task.inputs[0]), setup.apparatus.read())[1]"),
    612: ("lattice_stretch", "setup.system.relax(setup.boundary).state"),
}
"""Scenes by their number of nodes, and what the first equilibrium of each is."""

PROGRAM = """
import json, sandbox
setup = sandbox.load({scene!r}).setup
print(json.dumps({first}.tolist()))
"""


def _project(empty: bool) -> Callable[[Case], Mapping[str, Phase]]:
    def prepare(case: Case) -> Mapping[str, Phase]:
        scene, first = FIRST[case.size]

        def start() -> np.ndarray:
            with tempfile.TemporaryDirectory() as folder:
                environment = dict(os.environ)
                if empty:
                    environment["TI_OFFLINE_CACHE_FILE_PATH"] = folder
                program = PROGRAM.format(scene=scene, first=first)
                done = subprocess.run(
                    [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
                )
            return np.array(json.loads(done.stdout.splitlines()[-1]))

        return {"first": Phase(start, single=True)}

    return prepare


def case(size: int, quick: bool) -> Case:
    scene, _ = FIRST[size]
    return Case(size, 1.0, None, notes=[f"{scene}: {sandbox.load(scene).setup.network.n_edges} edges."])


WORKLOAD = Workload(
    key="start",
    title="from process start to the first equilibrium",
    text="""
A new Python process imports the package, reads a scene by name, builds it and relaxes it once. *Kernels cached*: Taichi
finds the compiled kernels on disk, as in every process but the first. *Empty cache*: all kernels are compiled.
iris_flow also imports scikit-learn for its data.
`sandbox show SCENE --timings` tells the stages apart.
""",
    sizes=tuple(FIRST),
    quick=(21,),
    case=case,
    contestants=(
        Contestant("kernels cached", _project(empty=False), ("matter-sandbox",), ours=True),
        Contestant("empty cache", _project(empty=True), ("matter-sandbox",), ours=True),
    ),
    phases={"first": "first equilibrium"},
    agreement=1e-12,
    unit=("s", 1.0),
)
