"""Image data sets from OpenML, decoded once and kept in a folder of the user.

What is kept is ``NAME.npz`` (``pixels`` and ``labels``, whole numbers of one byte) and ``NAME.npz.sha256``, which
``sha256sum --check`` reads too. The two files can be carried to a machine that has no network. Loading never unpickles.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import warnings
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError, URLError

import numpy as np

from sandbox import caches
from sandbox.errors import SandboxError


def folder() -> Path:
    """Where data sets are kept: ``$SANDBOX_DATA``, else ``matter-sandbox`` among the user's caches.

    Raises:
        SandboxError: for a ``SANDBOX_DATA`` that begins with the home of nobody.
    """
    given = os.environ.get("SANDBOX_DATA")
    try:
        return Path(given).expanduser() if given else caches.folder() / "matter-sandbox"
    except RuntimeError as error:
        raise SandboxError(f"SANDBOX_DATA is {given!r}: {error}") from error


def load(name: str, data_id: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (S, F) and labels (S,) of a data set, uint8; fetched, checked and kept when there is no file of it yet.

    Args:
        name: of the file that is kept.
        data_id: on OpenML.
        shape: (S, F).

    Raises:
        SandboxError: if it cannot be fetched or kept, or what was fetched or kept is not as it should be.
    """
    path = folder() / f"{name}.npz"
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=path.parent) as workshop:
                _keep(path, *_fetch(name, data_id, shape, Path(workshop)), Path(workshop))
        except OSError as error:
            raise SandboxError(
                f"{name} cannot be kept in {path.parent}: {error.strerror or error}; set SANDBOX_DATA to a folder that "
                "can be written and has 200 MB free"
            ) from error
    return _read(path, shape)


def _fetch(name: str, data_id: int, shape: tuple[int, int], workshop: Path) -> tuple[np.ndarray, np.ndarray]:
    """Download and decode. scikit-learn compares the file with the MD5 sum in OpenML's description of the data set."""
    from sklearn.datasets import fetch_openml

    where = f"data set {data_id} of openml.org"
    # Labels as texts: as categories of whole numbers, which pandas 3.1 makes of them, scikit-learn 1.9 cannot take
    # them (its issue 34892). Pixels of four bytes: half the memory.
    columns = dict.fromkeys(range(shape[1]), np.float32) | {shape[1]: str}
    try:
        with warnings.catch_warnings():
            # What these announce ends well, or in an error.
            warnings.filterwarnings("ignore", message="A network error occurred")
            warnings.filterwarnings("ignore", message="Invalid cache")
            data, target = fetch_openml(
                data_id=data_id,
                as_frame=False,
                parser="pandas",
                data_home=workshop,
                return_X_y=True,
                read_csv_kwargs={"dtype": columns},
            )
        return _decoded(np.asarray(data), np.asarray(target), shape)
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        reason = f"it answers {error.code}" if isinstance(error, HTTPError) else getattr(error, "reason", error)
        raise SandboxError(
            f"{name}: {where} cannot be reached ({reason}). Check the network and try again; or run once on a machine "
            f"that has one, and copy its {name}.npz and {name}.npz.sha256 to {folder()}"
        ) from error
    except (ValueError, LookupError, TypeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = str(error).split(". ")[0]
        raise SandboxError(f"{name}: what came from {where} is damaged; try again later. {reason}") from error


def _decoded(data: np.ndarray, target: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, numbers of any type, and labels, texts of digits, as whole numbers of one byte."""
    labels = np.char.strip(target.astype(str), "'").astype(np.uint8)
    if data.shape != shape or labels.shape != shape[:1]:
        raise ValueError(
            f"It holds {data.shape[0]} images of {data.shape[1]} pixels; expected {shape[0]} of {shape[1]}"
        )
    if not (data.min() >= 0 and data.max() <= 255):
        raise ValueError("It holds pixels beyond 0 to 255")
    pixels = data.astype(np.uint8)
    if (pixels != data).any():
        raise ValueError("It holds pixels that are not whole numbers")
    return pixels, labels


def _keep(path: Path, pixels: np.ndarray, labels: np.ndarray, workshop: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, pixels=pixels, labels=labels)
    content = buffer.getvalue()
    made = workshop / path.name
    made.write_bytes(content)
    _checksum(made).write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n", encoding="ascii")
    # The data come last: where they are, their checksum is.
    _checksum(made).replace(_checksum(path))
    made.replace(path)


def _read(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    mend = (
        f"delete {path} and run again with a network, or copy it and {_checksum(path).name} from where they are whole"
    )
    try:
        content, said = path.read_bytes(), _checksum(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise SandboxError(f"{path} or its checksum cannot be read ({error}); {mend}") from error
    if said.split()[:1] != [hashlib.sha256(content).hexdigest()]:
        raise SandboxError(f"{path} was cut or altered: its SHA-256 is not the one in {_checksum(path).name}; {mend}")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            pixels, labels = arrays["pixels"], arrays["labels"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SandboxError(f"{path} holds no pixels and labels; {mend}") from error
    if pixels.shape != shape or labels.shape != shape[:1] or {pixels.dtype, labels.dtype} != {np.dtype(np.uint8)}:
        raise SandboxError(f"{path} does not hold {shape[0]} images of {shape[1]} pixels; {mend}")
    return pixels, labels


def _checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
