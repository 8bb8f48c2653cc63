"""Malformed scenes: every one ends with a clean error or a valid run, in time, and nothing is written elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from sandbox.errors import SandboxError

SECONDS = 60
"""Of the processor, within which a scene must end; all of the generated ones are small, or to be refused."""

WAITING = 20
"""Times these seconds by the clock, after which it hangs: it waits, or other work leaves it little of the processor."""

MOST_LINES = 24

NET = (
    "node a 0 0\nnode b 1 0\nnode c 1 1\nnode d 0 1\n"
    "edge a b\nedge b c\nedge c d\nedge d a\nedge a c\ngroup left a d\ngroup right b\n"
)
GRAPHML = (
    '<?xml version="1.0"?><graphml><graph edgedefault="undirected"><node id="a"/><node id="b"/><node id="c"/>'
    '<edge source="a" target="b"/><edge source="b" target="c"/></graph></graphml>'
)


@dataclass
class Report:
    """How the scenes ended.

    Attributes:
        outcomes: how many ran, were refused, or failed in another way.
        causes: how often each kind of refusal was met, by its first words.
        failures: what must not happen, with the scene.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    slowest: float = 0.0
    slowest_scene: str = ""
    progress: bool = False

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        return f"{counts}; {len(self.causes)} different causes; slowest {self.slowest:.1f} s"

    def add(self, other: Report) -> None:
        """Take in another."""
        self.outcomes += other.outcomes
        self.causes += other.causes
        self.failures += other.failures
        if other.slowest > self.slowest:
            self.slowest, self.slowest_scene = other.slowest, other.slowest_scene


class _TooSlow(BaseException):
    """Not an Exception, so that nothing but this file catches it."""


class _Watch:
    """An audit hook, which cannot be taken away, that speaks while a scene is at work: what it may not do."""

    FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "pickle.find_class", "socket.connect")
    CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event == "subprocess.Popen" and arguments[0] == "uname":  # provenance
            return
        if event in self.FORBIDDEN:
            self.seen.append(f"{event} {arguments!r}"[:200])
        elif event == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND) if flags else False
            if isinstance(path, (str, bytes)) and (writes or (isinstance(mode, str) and set(mode) & set("wax+"))):
                self._place(event, path)
        elif event in self.CHANGES:
            for path in arguments[:2]:
                if isinstance(path, (str, bytes)):
                    self._place(event, path)

    def _place(self, event: str, path: str | bytes) -> None:
        assert self.allowed is not None
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (nothing is to be looked up on the disk here)
        if not full.startswith(self.allowed):
            self.seen.append(f"{event} {full}")


_watch: _Watch | None = None


def watch() -> _Watch:
    """The one audit hook of this process."""
    global _watch
    if _watch is None:
        with contextlib.suppress(ImportError):  # xarray imports it if it is there, and it unpickles its own
            import dask  # noqa: F401  # pyright: ignore
        _watch = _Watch()
    return _watch


def caches() -> tuple[str, ...]:
    """Where libraries keep what they have compiled or looked up."""
    import matplotlib

    return (str(Path("~/.cache").expanduser()), matplotlib.get_cachedir(), "/dev/null")


def prepare(folder: Path) -> None:
    """What the scenes' files may name: good ones, a bad one, a folder, and links out of it."""
    (folder / "net.txt").write_text(NET)
    (folder / "net.graphml").write_text(GRAPHML)
    (folder / "bad.txt").write_text("node a 0 0\nedge a b\n")
    (folder / "folder").mkdir()
    (folder / "leads_out").symlink_to("/etc/passwd")


def attempt(text: str | bytes, folder: Path, report: Report, *, out: str = "out") -> str:
    """Run one scene through the command in a folder; returns what it printed on standard error."""
    (folder / "scene.toml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    shown = text if isinstance(text, str) else repr(text)
    return watched(["run", "scene.toml", "--out", out], shown, folder, report, out)


def watched(arguments: list[str], shown: str, folder: Path, report: Report, out: str) -> str:
    """Call the command in a folder, where it may write in the run folder ``out`` only, and note how it ended.

    Args:
        shown: what it was given, for whoever reads of a failure.
    """
    from sandbox.cli import main

    before = _listing(folder)
    errors, printed = io.StringIO(), io.StringIO()
    hook, began, status = watch(), time.process_time(), 0

    def fail(what: str) -> None:
        report.outcomes["failed"] += 1
        report.failures.append((what, shown))
        if report.progress:
            print(f"{what}\n{shown[:1500]}\n{'-' * 40}", flush=True)

    def late(*_: Any) -> None:
        raise _TooSlow

    previous = {number: signal.signal(number, late) for number in (signal.SIGALRM, signal.SIGPROF)}
    here = Path.cwd()
    os.chdir(folder)
    hook.seen.clear()
    try:
        with (
            mock.patch.object(sys, "argv", ["sandbox", *arguments]),
            contextlib.redirect_stderr(errors),
            contextlib.redirect_stdout(printed),
        ):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, WAITING * SECONDS)
            hook.allowed = (str(folder / out), *caches())
            try:
                main()
            except SystemExit as end:
                status = int(end.code or 0)
            finally:
                hook.allowed = None
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
    except _TooSlow:
        fail(f"not done within {SECONDS} s")
        return errors.getvalue()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        fail(f"{type(error).__name__} came out: {error}")
        return errors.getvalue()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.chdir(here)
        _close_figures()
    took = time.process_time() - began
    if took > report.slowest:
        report.slowest, report.slowest_scene = took, shown
    said = errors.getvalue()
    new = {name for name in _listing(folder) - before if Path(name).parts[0] != out}
    if hook.seen:
        fail(f"did what a scene may not do: {hook.seen[0]}")
    elif new:
        fail(f"wrote {sorted(new)[:3]}")
    elif "Traceback" in said or status not in (0, 2):
        where = [line.strip() for line in said.splitlines() if line.strip().startswith("File ")][-2:]
        fail(f"status {status}: {said.strip()[-300:]} {where}")
    elif status == 2 and not _clean(said):
        fail(f"an error that is not clean: {said[:300]!r}")
    elif status == 0:
        whole = _whole(folder / out)
        if whole:
            fail(f"a run that is not valid: {whole}")
        else:
            report.outcomes["ran"] += 1
    else:
        report.outcomes["refused"] += 1
        report.causes[_cause(said)] += 1
    return said


def _clean(said: str) -> bool:
    """Nothing but warnings and one short error, in characters that can be shown."""
    error = said[said.rfind("error: ") :]
    return "error: " in said and error.count("\n") <= MOST_LINES and all(c.isprintable() or c == "\n" for c in error)


def _cause(said: str) -> str:
    words = said[said.rfind("error: ") + 7 :].split()
    return " ".join(w for w in words[:12] if not any(c.isdigit() for c in w))


def _whole(folder: Path) -> str:
    """What is wrong with a run folder; empty if it can be opened and every figure of merit is finite."""
    import numpy as np

    import sandbox

    try:
        data = sandbox.open(folder)
    except SandboxError as error:
        return str(error)
    for name, values in data.data_vars.items():
        if name != "lowest_curvature" and values.dtype.kind == "f" and not np.isfinite(values.to_numpy()).all():
            return f"{name} is not finite"
    data.close()
    return ""


def _listing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if "__pycache__" not in p.parts}


def _close_figures() -> None:
    from matplotlib import pyplot

    pyplot.close("all")


def main(count: int = 2000, seed: int = 0, progress: bool = False, first: int = 0) -> Report:
    """Generate scenes, from that of number ``first``, and run each; see :class:`Report`."""
    from tests.faults.scene_generator import scene

    report = Report(progress=progress)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        prepare(folder)
        for number in range(first, first + count):
            attempt(scene(random.Random(f"{seed} {number}")), folder, report)
            shutil.rmtree(folder / "out", ignore_errors=True)
            if progress and number % 50 == 49:
                print(f"{number + 1}: {report}", flush=True)
    return report


if __name__ == "__main__":
    result = main(*(int(a) for a in sys.argv[1:3]), progress=True)
    print(result)
    print(result.slowest_scene)
    sys.exit(bool(result.failures))
