"""The one place that starts Taichi.

``ti.init`` is global to the process and a second call destroys what exists, so it happens here, once, at the first
kernel that is needed. Importing :mod:`sandbox` never comes here.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
import warnings
from pathlib import Path

from sandbox.importing import uncollected

SPREAD = 512
"""Turns of a parallel loop that Taichi (1.7) gives to a thread at least, whatever ``block_dim`` says (measured): a loop
whose turns are long goes over so many times as many, and skips all but every such one."""

STALE = 60.0
"""Seconds after which a lock of the cache of kernels is that of a killed process: Taichi holds it for less than one."""

_started = threading.Lock()
_threads: int | None = None


def start() -> None:
    """Start Taichi on the CPU in float64, once per process.

    The environment variable ``SANDBOX_THREADS`` limits the number of threads (default: all cores).
    Kernels are cached on disk across processes by Taichi itself.
    """
    global _threads
    with _started:
        if _threads is not None:
            return
        threads = int(os.environ.get("SANDBOX_THREADS", "0")) or os.cpu_count() or 1
        with uncollected():
            import taichi as ti
            from taichi.lang import impl

        # Energy laws are plain Python functions made by sympy and called inside kernels on purpose.
        warnings.filterwarnings("ignore", message=r".*[Cc]alling non-taichi function.*")
        with contextlib.redirect_stdout(io.StringIO()):  # it announces its architecture on standard output
            ti.init(
                arch=ti.cpu,
                default_fp=ti.f64,
                default_ip=ti.i32,
                fast_math=False,
                cpu_max_num_threads=threads,
                offline_cache=True,
                log_level=ti.WARN,
            )
            _quicken()
            _remove_stale_lock(Path(impl.current_cfg().offline_cache_file_path))
        _threads = threads


def _quicken() -> None:
    """Spare Taichi (1.7) two things that it does for every kernel, a fifth of the time that a first one takes.

    It draws where in the source each expression stands, for an error that it may have to tell of; it asks again when
    there is one. And it reads the source around every decorator, through all modules' files, to see whether that is in
    a class; the frame of a class's body tells.
    """
    from taichi.lang import kernel_impl
    from taichi.lang.ast.ast_transformer_utils import ASTTransformerContext

    where = getattr(ASTTransformerContext, "get_pos_info", None)
    if where is not None:
        ASTTransformerContext.get_pos_info = lambda self, node: where(self, node) if sys.exc_info()[0] else ""
    if hasattr(kernel_impl, "_inside_class"):
        kernel_impl._inside_class = _inside_class


def _inside_class(level_of_class_stackframe: int) -> bool:
    """Whether a decorator is in a class, told how many frames up the statement ``class`` is: above the body."""
    return "__qualname__" in sys._getframe(level_of_class_stackframe - 1).f_locals


def _remove_stale_lock(cache: Path) -> None:
    """A process that is killed while it writes the cache leaves a lock, and no later one would write to it again."""
    lock = cache / "ticache.lock"
    with contextlib.suppress(OSError):  # there is none, as a rule
        if time.time() - lock.stat().st_mtime > STALE:
            lock.unlink()


def threads() -> int:
    """Number of threads that kernels run on."""
    start()
    assert _threads is not None
    return _threads


def compiled_kernels() -> tuple[str, ...]:
    """Names of the kernels compiled in this process, or loaded from the cache on disk."""
    if _threads is None:
        return ()
    from taichi.lang import impl

    return tuple(k.func.__name__ for k in impl.get_runtime().kernels for _ in k.compiled_kernels)
