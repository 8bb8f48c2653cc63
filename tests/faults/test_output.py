"""Nobody listens, or memory ends: a command ends with words and the right status, and what it computed is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.blame import fault_of_plugin
from sandbox.cli import ending
from sandbox.errors import out_of_memory

COMMAND = f"{sys.executable} -c 'from sandbox.cli import main; main()'"
RUN = "run lattice_stretch --out out"


def shell(line: str, folder: Path) -> tuple[int, str]:
    """Status of the command, and what is on standard error."""
    script = f"set -o pipefail\n{line.replace('sandbox', COMMAND, 1)}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["list", "--help", "plugins --json", RUN])
def test_standard_output_is_full(command: str, tmp_path: Path) -> None:
    status, said = shell(f"sandbox {command} >/dev/full", tmp_path)
    assert status == ending.MISTAKE
    assert said.strip().splitlines()[-1] == "error: standard output cannot be written: No space left on device"
    assert "Traceback" not in said
    assert (tmp_path / "out" / "data.nc").exists() == (command == RUN)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"sandbox {RUN} 2>/dev/full", 0),
        (f"sandbox {RUN} >&- 2>&-", 0),
        (f"sandbox {RUN} >/dev/full 2>/dev/full", ending.MISTAKE),
        (f"sandbox {RUN} | true", 1),  # as other commands do whose reader went away
    ],
)
def test_a_run_that_nobody_hears_is_complete(line: str, wanted: int, tmp_path: Path) -> None:
    status, said = shell(line, tmp_path)
    assert status == wanted
    assert "Traceback" not in said
    assert {"data.nc", "manifest.json", "deformation.png"} <= {p.name for p in (tmp_path / "out").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is kept on Linux alone")
@pytest.mark.parametrize("megabytes", [300, 1200])
def test_memory_is_limited(megabytes: int, tmp_path: Path) -> None:
    status, said = shell(f"ulimit -v {megabytes}000; sandbox {RUN}", tmp_path)
    assert status == ending.MISTAKE
    assert "error: there is not enough memory for this" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (MemoryError(), True),
        (ImportError("x.so: failed to map segment from shared object"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("[host_memory_pool.cpp] Virtual memory allocation (1073741824 B) failed."), True),
        (RuntimeError("std::bad_alloc"), True),
        (ImportError("No module named x"), False),
        (ValueError("Cannot allocate memory"), False),
    ],
)
def test_what_says_that_memory_ended(error: Exception, wanted: bool) -> None:
    assert out_of_memory(error) == wanted
    if wanted:
        assert fault_of_plugin(error) is None


def test_closed_files_are_not_given_away(tmp_path: Path) -> None:
    """The next file opened would have the number of standard output, and get what libraries print."""
    code = (
        "import os\nfrom sandbox.cli.ending import open_standard_files\nopen_standard_files()\n"
        "number = os.open('file', os.O_CREAT | os.O_WRONLY)\nos.write(1, b'printed')\nassert number > 2"
    )
    done = subprocess.run(["bash", "-c", f'{sys.executable} -c "{code}" <&- >&- 2>&-'], cwd=tmp_path, env=os.environ)
    assert done.returncode == 0
    assert (tmp_path / "file").read_bytes() == b""
