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
import json, os, sandbox
setup = sandbox.load({scene!r}).setup
print(json.dumps({first}.tolist()), flush=True)
if {leave}: os._exit(0)
"""
"""The clock stops at the answer, so a start that is timed leaves without clearing up; kernels are cached on leaving."""


def _project(empty: bool) -> Callable[[Case], Mapping[str, Phase]]:
    def prepare(case: Case) -> Mapping[str, Phase]:
        scene, first = FIRST[case.size]

        def start(leave: bool = True) -> np.ndarray:
            with tempfile.TemporaryDirectory() as folder:
                environment = dict(os.environ)
                environment.pop("PYTHONDONTWRITEBYTECODE", None)
                if empty:
                    environment["TI_OFFLINE_CACHE_FILE_PATH"] = folder
                program = PROGRAM.format(scene=scene, first=first, leave=leave)
                done = subprocess.run(
                    [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
                )
            return np.array(json.loads(done.stdout.splitlines()[-1]))

        start(leave=False)
        return {"first": Phase(start, single=True)}

    return prepare


def case(size: int, quick: bool) -> Case:
    scene, _ = FIRST[size]
    return Case(size, 1.0, None, notes=[f"{scene}: {sandbox.load(scene).setup.network.n_edges} edges."])


WORKLOAD = Workload(
    key="start",
    title="from process start to the first equilibrium",
    text="""
From the start of a new Python process to the first answer: it imports the package, reads a scene by name, builds it and
relaxes it once. *Kernels cached*: Taichi finds the compiled kernels on disk, as in every process but the first. *Empty
cache*: all kernels are compiled. Starts that are not timed come first, so that Python has its compiled files of
everything that is imported, as it has on every machine from the second start on. Process time is that of the new
process.
`sandbox show SCENE --timings` tells the stages apart.

How it stands. The bar is 8 s with an empty cache, met, and 1.5 with cached kernels, missed: 1.8 to 2.3 in this record.
The machine's pace varies by two: one made hours before from nearly the same source gave 1.5 to 1.6, a loop of starts of
iris_flow in quick minutes 1.4, one in slow minutes 2.3 to 2.7. In such slow ones `sandbox show iris_flow --timings`
told the stages apart as 0.98 s for the start, plugins and scene, 0.29 for the network, 0.40 for Taichi and 0.99 for the
first equilibrium, and `python -X importtime` the imports among them: SciPy's sparse arrays 0.15 to 0.20, of which
NumPy's tests and f2py, which they import on the way, 0.07 to 0.1; networkx 0.15 to 0.24; NumPy 0.11; Taichi 0.09 to
0.15. What stands in the way is the first equilibrium: Taichi reads the kernel's Python before it looks on the disk,
where the kernel is kept as LLVM's bitcode, and LLVM turns that into machine code in every process. What SymPy makes of
the laws in the library is kept in a table; a scene with an energy of its own imports SymPy as well.
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
