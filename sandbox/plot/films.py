"""Frames of pixels as files: GIF through Pillow, MP4 through the ffmpeg of the package imageio-ffmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from sandbox.errors import SandboxError

Kind = Literal["gif", "mp4", "html"]
KINDS: tuple[Kind, ...] = ("gif", "mp4", "html")


def kind_of(path: str | Path, kind: Kind | None) -> Kind:
    """The kind asked for, or else the one that the name of the file says; GIF where it says none.

    Raises:
        ValueError: for a kind that is not there.
    """
    wanted = kind or Path(path).suffix.lower().removeprefix(".")
    for known in KINDS:
        if known == wanted:
            return known
    if kind is not None:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(map(repr, KINDS))}")
    return "gif"


def write_gif(frames: Iterable[np.ndarray], path: str | Path, fps: float, palette: Image.Image) -> None:
    """Write frames, each (height, width, 3) bytes, in the colours of one palette; it repeats for ever.

    Frames last whole hundredths of a second, two at least: GIF can say no less.
    """
    pictures = (Image.fromarray(f).quantize(palette=palette, dither=Image.Dither.NONE) for f in frames)
    first = next(pictures)
    first.save(
        path, format="GIF", save_all=True, append_images=pictures, duration=10 * max(2, round(100 / fps)), loop=0
    )


def write_mp4(frames: Iterable[np.ndarray], path: str | Path, fps: float) -> None:
    """Write frames, each (height, width, 3) bytes, as H.264 that browsers and slides play.

    Raises:
        SandboxError: if imageio-ffmpeg, an optional package, is not installed.
        OSError: if ffmpeg cannot write the file.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise SandboxError(
            "MP4 files need the package imageio-ffmpeg: pip install 'matter-sandbox[film]'; a name that ends in .gif "
            "or .html needs nothing"
        ) from error
    pictures = _even(frames)
    first = next(pictures)
    settings: dict[str, Any] = {"fps": fps, "codec": "libx264", "quality": None, "macro_block_size": 1}
    more = ["-crf", "18", "-movflags", "+faststart", "-f", "mp4"]
    size = (first.shape[1], first.shape[0])
    writer = imageio_ffmpeg.write_frames(str(path), size, ffmpeg_log_level="error", output_params=more, **settings)
    try:
        writer.send(None)
        writer.send(first)
        for picture in pictures:
            writer.send(picture)
    finally:
        writer.close()


def _even(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Frames of an even height and width, which the format needs: a white row or column more where it is odd."""
    for frame in frames:
        high, wide, _ = frame.shape
        yield np.ascontiguousarray(np.pad(frame, ((0, high % 2), (0, wide % 2), (0, 0)), constant_values=255))
