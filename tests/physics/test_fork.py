"""Forked children: what they compute is what their parent does, and none waits for threads that it has not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")

HEAD = """
import os, sys, threading
import numpy as np
import sandbox
from sandbox.physics import graphs, groups
from sandbox.physics.laws import SPRING

def work():
    net = graphs.triangular([12, 7])
    springs = sandbox.Material(net, SPRING, {"k": 1.0, "l": net.lengths()})
    left, right = groups.side(net, "left"), groups.side(net, "right")
    pulls = np.linspace(0.1, 1.0, 8)[:, None, None] * [1.0, 0.0]
    held = sandbox.Boundary.free(net.n_nodes, 2, 8).clamp(left, net.positions[left])
    return springs.relax(held.clamp(right, net.positions[right] + pulls)).state

def forked(what):
    pid = os.fork()
    if pid == 0:
        what()
        sys.exit(0)  # not os._exit: the end of a process must not wait either
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

SAME = """
here = work()
def same():
    assert np.array_equal(work(), here)
assert forked(same) == 0
assert forked(lambda: forked(same) and sys.exit(5)) == 0  # a child of a child, which has not computed
assert forked(lambda: (same(), forked(same) and sys.exit(6))) == 0  # and of one that has
same()
"""

IDLE = """
work()
for _ in range(5):
    assert forked(lambda: None) == 0
def restarted():
    from sandbox.physics import runtime
    assert runtime._threads is None
assert forked(restarted) == 0
"""

POOL = """
import multiprocessing
here = work()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(np.array_equal(state, here) for state in pool.starmap(work, [()] * 4))
"""

DRAWING = """
import sandbox.plot
from sandbox.lock import alone_in_process
from sandbox.plot.style import style
held, done = threading.Event(), threading.Event()
def hold():
    with style(), alone_in_process("another"):
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
def draw():
    with alone_in_process("mine"):
        sandbox.plot.draw_curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y")
assert forked(draw) == 0
done.set()
thread.join()
"""

NOT_AGAIN = """
from sandbox.errors import SandboxError
from sandbox.physics import runtime
work()
class Stuck:
    def finalize(self):
        raise RuntimeError("it cannot be done")
def refused():
    runtime._inherited = Stuck()
    try:
        work()
    except SandboxError as error:
        assert "forked" in str(error) and "spawn" in str(error)
        sys.exit(7)
assert forked(refused) == 7
"""


@pytest.mark.parametrize("code", [SAME, IDLE, POOL, DRAWING, NOT_AGAIN], ids=["same", "idle", "pool", "locks", "words"])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_children(code: str, threads: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"{HEAD}\nif __name__ == '__main__':\n" + "".join(f"    {x}\n" for x in code.splitlines()))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"SANDBOX_THREADS": threads},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stderr}\n{time.monotonic() - began:.0f} s"
