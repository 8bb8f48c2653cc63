"""Pictures that lie in a run folder, which somebody else may have put there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from sandbox.errors import RunError
from sandbox.files import require_regular

MOST_BYTES = 64 * 2**20
"""Bytes of a picture; those that a run draws have a hundredth of it."""


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture as PNG, whatever is in the file: to read some other formats, Pillow starts programs.

    Raises:
        RunError: naming the file, if it is no PNG, a link that leads out of its folder, or far too large.
    """
    try:
        require_regular(path)
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES // 2**20} MiB")
        with Image.open(path, formats=["PNG"]) as image:
            yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RunError(
            f"{path} is no picture that can be shown: {getattr(error, 'strerror', None) or error}"
        ) from error
