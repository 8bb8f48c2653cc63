"""Arrays in a file that somebody else may have written, where :func:`numpy.savez` is expected to have done so."""

from __future__ import annotations

import zipfile
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO

from numpy.lib import format as npy

KINDS = "biufcSU"
"""Kinds of arrays: numbers, truths and texts. Arrays of objects would be made anew by code that the file names."""


def look_over(path: Path) -> None:
    """See that arrays take no more memory than the file has bytes, before one of them is read.

    Nothing in it is compressed, so nothing unfolds: every array is as large as its part of the file, and the parts
    together are no larger than the file.

    Raises:
        OSError, zipfile.BadZipFile: if it cannot be read.
        ValueError: for what :func:`numpy.savez` does not write.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if any(part.compress_type != zipfile.ZIP_STORED or part.compress_size != part.file_size for part in parts):
            raise ValueError("it is compressed, and a checkpoint is not")
        if sum(part.file_size for part in parts) > path.stat().st_size:
            raise ValueError("its parts are larger than the file")
        for part in parts:
            with archive.open(part) as file:
                _check(file, part.file_size, part.filename)


def _check(file: IO[bytes], size: int, name: str) -> None:
    """Compare what the header of an array says with the bytes that follow.

    Raises:
        ValueError: if they are not as many, or if these are neither numbers nor texts.
    """
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, _, kind = header(file)
    except (SyntaxError, TokenError) as error:  # of NumPy's reader of old headers
        raise ValueError(f"the header of {name} is no header") from error
    if kind.kind not in KINDS:
        raise ValueError(f"{name} is an array of {kind}, neither numbers nor texts")
    if prod(shape) * kind.itemsize != size - file.tell():
        raise ValueError(f"{name} has not as many bytes as an array of shape {shape}")
