"""Run folders whose files lead elsewhere, are too large, or are not what their names say."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from sandbox import manifest

from .fuzz import sign

Change = Callable[[Path, Path], None]
"""Changes a run folder, given a file outside of it that nobody may open."""


def rewrite(run: Path, **changes: object) -> None:
    """Give a manifest other values, and the checksum of these."""
    path = run / "manifest.json"
    body = json.loads(path.read_text()) | changes
    body.pop("sha256", None)
    path.write_text(json.dumps(body | {"sha256": manifest._own(json.loads(json.dumps(body)))}))


def _files(run: Path, **more: str | None) -> None:
    """Add to the files that a manifest names, or take from them."""
    files = json.loads((run / "manifest.json").read_text())["files"]
    rewrite(run, files={name: value for name, value in {**files, **more}.items() if value is not None})


def linked(name: str, unnamed: bool = False) -> Change:
    """A file that is a link to the one outside; the manifest may not even name it."""

    def change(run: Path, outside: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(outside)
        if unnamed:
            _files(run, **{name: None})

    return change


def _picture_linked(run: Path, outside: Path) -> None:
    (run / "stiffness.png").symlink_to(outside)
    _files(run, **{"stiffness.png": "0" * 64})


def naming(name: str) -> Change:
    """A manifest that names a file elsewhere."""
    return lambda run, outside: _files(run, **{name.replace("OUTSIDE", str(outside)): "0" * 64})


def written(name: str, text: str | bytes, signed: bool = True) -> Change:
    """A file of other content, with a checksum that fits."""

    def change(run: Path, outside: Path) -> None:
        (run / name).write_bytes(text.encode() if isinstance(text, str) else text)
        if signed:
            sign(run)

    return change


def _holes(name: str) -> Change:
    def change(run: Path, outside: Path) -> None:
        with (run / name).open("wb") as file:
            file.truncate(2**40)

    return change


def _special(name: str, make: Callable[[Path], object]) -> Change:
    def change(run: Path, outside: Path) -> None:
        (run / name).unlink(missing_ok=True)
        make(run / name)

    return change


def _nothing_named(run: Path, outside: Path) -> None:
    rewrite(run, files={})


FOLDERS: dict[str, tuple[Change, str]] = {
    "scene outside": (linked("scene.toml"), r"scene\.toml \(a link that leads out"),
    "provenance outside": (linked("provenance.json"), r"provenance\.json \(a link that leads out"),
    "provenance outside, not named": (
        linked("provenance.json", True),
        r"manifest\.json does not name provenance\.json",
    ),
    "scene outside, not named": (linked("scene.toml", True), r"manifest\.json does not name scene\.toml"),
    "data outside": (linked("data.nc"), r"data\.nc \(a link that leads out"),
    "data outside, not named": (linked("data.nc", True), r"manifest\.json does not name data\.nc"),
    "summary outside": (linked("summary.json"), r"summary\.json \(a link that leads out"),
    "manifest outside": (linked("manifest.json"), r"manifest\.json cannot be read: a link that leads out"),
    "picture outside": (_picture_linked, r"stiffness\.png \(a link that leads out"),
    "nothing named": (_nothing_named, r"manifest\.json does not name"),
    "a device as data": (_special("data.nc", lambda p: p.symlink_to("/dev/zero")), r"data\.nc \(a link that leads out"),
    "a pipe as data": (_special("data.nc", os.mkfifo), r"data\.nc \(not a regular file"),
    "a folder as data": (_special("data.nc", Path.mkdir), r"data\.nc \(not a regular file"),
    "links in a circle": (_special("data.nc", lambda p: p.symlink_to("data.nc")), r"data\.nc \("),
    "a manifest that is a pipe": (
        _special("manifest.json", os.mkfifo),
        r"manifest\.json cannot be read: not a regular",
    ),
    "a manifest of a terabyte": (_holes("manifest.json"), r"manifest\.json cannot be read: larger than"),
    "a manifest without end": (written("manifest.json", "[" * 100_000, False), r"manifest\.json was changed or cut"),
    "a manifest of digits": (written("manifest.json", "9" * 100_000, False), r"manifest\.json was changed or cut"),
    "a manifest that is a list": (written("manifest.json", "[]", False), r"manifest\.json was changed or cut"),
    "a manifest of another code": (written("manifest.json", b"\xff\xfe{", False), r"manifest\.json was changed or cut"),
    "names a file outside": (naming("OUTSIDE"), r"manifest\.json was changed or cut"),
    "names a file above": (naming("../outside"), r"manifest\.json was changed or cut"),
    "names a file below": (naming("checkpoints/../../outside"), r"manifest\.json was changed or cut"),
    "names a null character": (naming("x\0.png"), r"manifest\.json was changed or cut"),
    "names a long name": (naming("x" * 5000), r"manifest\.json was changed or cut"),
    "a summary without end": (written("summary.json", '{"a":' * 50_000), r"summary\.json is not the summary"),
    "a summary of lists": (
        written("summary.json", '{"a": [1]}'),
        r"summary\.json is not the summary",
    ),
    "a summary that is a number": (written("summary.json", "3"), r"summary\.json is not the summary"),
    "a summary of digits": (
        written("summary.json", '{"a": ' + "9" * 400_000 + "}"),
        r"summary\.json is not the summary",
    ),
    "provenance without end": (written("provenance.json", "[" * 50_000), "has not the data or the scene"),
    "provenance that is a number": (written("provenance.json", "3"), "has not the data or the scene"),
    "a scene without end": (written("scene.toml", "a = " + "[" * 50_000), "has not the data or the scene"),
    "a scene of another code": (written("scene.toml", b"\xff\xfea = 1"), "has not the data or the scene"),
}
"""By name, what is done to the folder of a complete run, and what is said of it when it is shown as a page."""


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *more: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + _chunk(b"IEND", b"")


_POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(touch executed) system\n%%EOF\n"

PICTURES: dict[str, bytes] = {
    "a program in PostScript": _POSTSCRIPT,
    "a page": b"<html><script>alert(1)</script></html>",
    "a drawing with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "another kind of picture": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "nothing": b"",
    "a picture of a terabyte": _png(2**20, 2**20, _chunk(b"IDAT", zlib.compress(bytes(100)))),
    "a picture of no size": _png(0, 0, _chunk(b"IDAT", b"")),
    "a picture cut in its head": _png(4, 4)[:20],
    "a text that unfolds": _png(4, 4, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27), 9))),
}
"""By name, what a file ``network.png`` may hold that is no picture of a run, or a very large one."""
