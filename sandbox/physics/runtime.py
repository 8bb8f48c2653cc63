"""The one place that starts Taichi.

``ti.init`` is global to the process and a second call destroys what exists, so it happens here, once, at the first
kernel that is needed. Importing :mod:`sandbox` never comes here.

A forked child has the memory of its parent and none of its threads: a kernel would wait there for threads that are
not, and so would the end of the process, which joins them. A child therefore leaves its parent's runtime alone, and its
first kernel starts one of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox import caches
from sandbox.errors import SandboxError, out_of_memory
from sandbox.importing import uncollected
from sandbox.physics import processors

SPREAD = 512
"""Turns of a parallel loop that Taichi (1.7) gives to a thread at least, whatever ``block_dim`` says (measured): a loop
whose turns are long goes over so many times as many, and skips all but every such one."""

STALE = 60.0
"""Seconds after which a lock of the cache of kernels is that of a killed process: Taichi holds it for less than one."""

_started = threading.RLock()
_threads: int | None = None
_inherited: Any = None  # a parent's program (Taichi's word), in a forked child whose own is not started


def start() -> None:
    """Start Taichi on the CPU in float64, once per process.

    The environment variable ``SANDBOX_THREADS`` limits the number of threads (default: the processors that the process
    may use). Kernels are cached on disk across processes by Taichi itself, where there is a folder for it.

    Raises:
        SandboxError: for a value of ``SANDBOX_THREADS`` that is no number of threads.
    """
    global _threads
    with _started:
        if _threads is not None:
            return
        threads = processors.threads()
        if _inherited is None:
            _import()
        else:
            _give_up_inherited()
        import taichi as ti
        from taichi.lang import impl

        # It announces its architecture on standard output.
        with contextlib.redirect_stdout(io.StringIO()), _memory_errors():
            ti.init(
                arch=ti.cpu,
                default_fp=ti.f64,
                default_ip=ti.i32,
                fast_math=False,
                cpu_max_num_threads=threads,
                offline_cache=_can_cache(),
                log_level=ti.WARN,
            )
            _remove_stale_lock(Path(impl.current_cfg().offline_cache_file_path))
        _threads = threads


@contextlib.contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise Python's own error where Taichi has no memory for its pool: 1 GiB of addresses, whatever it comes to use.

    Raises:
        MemoryError: saying so.
    """
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise MemoryError(f"kernels cannot be started: {error}") from error
        raise


def _import() -> None:
    """Import Taichi."""
    with uncollected():
        import taichi  # noqa: F401  # pyright: ignore[reportUnusedImport]
    # Energy laws are plain Python functions made by sympy and called inside kernels on purpose.
    warnings.filterwarnings("ignore", message=r".*[Cc]alling non-taichi function.*")
    _quicken()


def _can_cache() -> bool:
    """Whether compiled kernels can be kept on disk; says so where they cannot."""
    if os.environ.get("TI_OFFLINE_CACHE_FILE_PATH") or caches.writable(caches.folder() / "taichi", made=True):
        return True
    warnings.warn(
        f"compiled kernels are not kept, so every start compiles them anew: {caches.folder()} cannot be written; set "
        "XDG_CACHE_HOME to a folder that can",
        UserWarning,
        stacklevel=2,
    )
    return False


def _after_fork_in_child() -> None:
    """Leave the parent's runtime alone; the first kernel starts another."""
    global _threads, _inherited
    try:
        if _threads is None:
            return
        from taichi.lang import impl

        _threads, _inherited = None, impl.get_runtime().prog
        # Nobody may destroy it here: that joins threads which are not.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_inherited))
        impl.get_runtime().prog = None
        impl.reset()  # kernels forget what was compiled for the parent
        impl.get_runtime().materialize = _materialize  # which a kernel calls first of all
    finally:
        _started.release()


def _materialize() -> None:
    """Start the runtime of a forked child, at its first kernel."""
    from taichi.lang import impl

    start()
    impl.get_runtime().materialize()


def _give_up_inherited() -> None:
    """Make room for a program of this process: Taichi counts them and allows one.

    Raises:
        SandboxError: where this release of Taichi cannot do that.
    """
    global _inherited
    try:
        _inherited.finalize()
    except (AttributeError, RuntimeError) as error:
        raise SandboxError(
            "this process was forked from one that had computed already, and kernels cannot be started anew in it "
            f"({error}); start it with the method 'spawn' or 'forkserver' of multiprocessing"
        ) from error
    _inherited = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_started.acquire, after_in_parent=_started.release, after_in_child=_after_fork_in_child)


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
