"""What other people's processes and folders could have a sweep's workers, or a library, do."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sandbox.errors import SandboxError, SweepError
from sandbox.physics.relaxation import petsc
from sandbox.report import Silent
from sandbox.sweeping.crew import SAFE_PATH, crew

MODULES = ("multiprocessing", "pickle", "signal", "socket", "struct", "tempfile", "sitecustomize", "numpy", "tornado")


def test_workers_take_work_from_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder has modules by the names of Python's own; a stranger has a key of his own, and one has none."""
    from distributed.security import Security

    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w').close()\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SAFE_PATH, raising=False)
    with crew(None, 1, 1, Silent()) as hands:
        address = hands._client.scheduler.address  # pyright: ignore[reportOptionalMemberAccess]
        assert address.startswith("tls://127.0.0.1:")
        for stranger in (address, address.replace("tls://", "tcp://")):
            with pytest.raises((OSError, TypeError)):
                knock(stranger)
        with pytest.raises(OSError):  # noqa: PT011 (of several kinds, with the words of OpenSSL)
            knock(address, **Security.temporary().get_connection_args("client"))
        assert hands._client.submit(_path).result(timeout=60) == (1, "1", True)
    assert SAFE_PATH not in os.environ
    assert not (tmp_path / "executed").exists()


def knock(address: str, **keys: Any) -> None:
    """Connect to a scheduler and leave again; not by a client of distributed, which waits for itself if it fails."""
    from distributed.comm import connect

    async def there_and_back() -> None:
        await (await connect(address, timeout=3, **keys)).close()

    asyncio.run(there_and_back())


def _path() -> tuple[int, str | None, bool]:
    """Of a worker: how it looks for modules, and whether it finds this one."""
    return sys.flags.safe_path, os.environ.get(SAFE_PATH), __name__ in sys.modules


def test_a_scheduler_with_keys_and_none_here() -> None:
    with (
        pytest.raises(SweepError, match=r"takes work over TLS.*DASK_DISTRIBUTED__COMM__TLS__CA_FILE"),
        crew("tls://127.0.0.1:1", None, 1, Silent()),
    ):
        pass


def test_petsc_reads_no_options_of_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def init(arguments: list[str]) -> None:
        begun.extend(arguments)

    library: Any = ModuleType("petsc4py")
    library.init, library.PETSc = init, ModuleType("PETSc")
    library.PETSc.ScalarType = complex
    monkeypatch.setitem(sys.modules, "petsc4py", library)
    with pytest.raises(SandboxError, match="needs a PETSc of real double numbers"):
        petsc.library()
    assert "-skip_petscrc" in begun
