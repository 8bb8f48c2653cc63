"""Files of data and checkpoints that read, load or unfold what they should not."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LARGE = 2**33
"""Bytes that a small file says it unfolds to."""

SECRET = b"a secret of somebody else" * 40

# HDF5.

Change = Callable[[Any, Path], None]
"""Changes an open file of a run; the other file is one outside of the folder."""


def _external(file: Any, outside: Path) -> None:
    del file["output"]
    file.create_dataset("output", (16,), "i1", external=[(str(outside), 0, 16)])


def _external_relative(file: Any, outside: Path) -> None:
    file.create_dataset("more", (16,), "i1", external=[(f"../{outside.name}", 0, h5py.h5f.UNLIMITED)])


def _virtual(file: Any, outside: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(outside), "x", shape=(4,))
    file.create_virtual_dataset("virtual", layout)


def _virtual_without_end(file: Any, outside: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8", maxshape=(None,))
    source = h5py.VirtualSource(str(outside), "x", shape=(4,), maxshape=(None,))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    file.create_virtual_dataset("virtual", layout)


def _virtual_many(file: Any, outside: Path) -> None:
    space = h5py.h5s.create_simple((4,), (h5py.h5s.UNLIMITED,))
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (1,), (1,))
    source = h5py.h5s.create_simple((1,))
    made.set_virtual(space, f"{outside.parent}/out%b".encode(), b"x", source)
    h5py.h5d.create(file.id, b"virtual", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((4,), (h5py.h5s.UNLIMITED,)), made)


def _filtered(number: int, *values: int) -> Change:
    """A dataset packed by a filter that is a plugin's, or not a run's."""

    def change(file: Any, outside: Path) -> None:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((8,))
        made.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
        kind = h5py.h5t.STD_I32LE
        found = h5py.h5d.create(file.id, b"packed", kind, h5py.h5s.create_simple((8,)), made)
        found.write_direct_chunk((0,), bytes(32), 0)

    return change


def _twice_deflated(file: Any, outside: Path) -> None:
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((2**26,))
    for _ in range(2):
        made.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_MANDATORY, (9,))
    found = h5py.h5d.create(file.id, b"packed", h5py.h5t.STD_I8LE, h5py.h5s.create_simple((2**26,)), made)
    found.write_direct_chunk((0,), zlib.compress(zlib.compress(bytes(2**26), 9), 9), 0)


def _bomb(file: Any, outside: Path) -> None:
    """One deflated piece, written over and over."""
    piece = 2**24
    content = zlib.compress(bytes(piece), 9)
    data = file.create_dataset("zeros", (LARGE // piece * piece,), "i1", chunks=(piece,), compression="gzip")
    for first in range(0, len(data), piece):
        data.id.write_direct_chunk((first,), content, 0)


def _one_large_piece(file: Any, outside: Path) -> None:
    """A dataset of one number, which lies in a piece of two thousand million."""
    data = file.create_dataset("zeros", (1,), "i1", maxshape=(None,), chunks=(2**31,), compression="gzip")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(1000), 9), 0)


def _never_written(file: Any, outside: Path) -> None:
    file.create_dataset("zeros", (LARGE,), "f8", fillvalue=1.0)


def _never_written_pieces(file: Any, outside: Path) -> None:
    file.create_dataset("zeros", (LARGE,), "f8", chunks=(2**20,), compression="gzip")


def _says_it_is_a_dimension(file: Any, outside: Path) -> None:
    """A dimension without a variable, along which a variable of one number is filled up to its length."""
    file.create_dataset("long", (LARGE,), "f4").make_scale("This is a netCDF dimension but not a netCDF variable.")
    file["short"] = np.zeros(1)
    file["short"].dims[0].attach_scale(file["long"])


def _long_along(file: Any, outside: Path) -> None:
    """A dimension without a fixed size that refers to a long one."""
    file.create_dataset("along", (1,), "f8", maxshape=(None,), chunks=(1,), data=np.zeros(1)).make_scale("along")
    file.create_dataset("long", (LARGE,), "f4").make_scale("This is a netCDF dimension but not a netCDF variable.")
    kind = np.dtype([("dataset", h5py.ref_dtype), ("dimension", "i4")])
    file["along"].attrs.create("REFERENCE_LIST", np.array([(file["long"].ref, 0)], dtype=kind))


def _along_no_dataset(file: Any, outside: Path) -> None:
    """A dimension without a fixed size that refers to something without a shape."""
    file.create_dataset("along", (1,), "f8", maxshape=(None,), chunks=(1,), data=np.zeros(1)).make_scale("along")
    kind = np.dtype([("dataset", h5py.ref_dtype), ("dimension", "i4")])
    file["along"].attrs.create("REFERENCE_LIST", np.array([(file["/"].ref, 0)], dtype=kind))


def _dimension_of(name: str) -> Change:
    """A dataset whose dimension is no dataset, or one that is gone."""

    def change(file: Any, outside: Path) -> None:
        file.create_dataset("away", (4,), "i1", external=[(str(outside), 0, 4)])
        lists = np.empty(1, dtype=object)
        lists[0] = np.array([file[name].ref], dtype=h5py.ref_dtype)
        file["short"] = np.zeros(4)
        file["short"].attrs.create("DIMENSION_LIST", lists, dtype=h5py.vlen_dtype(h5py.ref_dtype))
        del file["away"]

    return change


def _text_shared(file: Any, outside: Path) -> None:
    """A hundred thousand texts that are one, of a hundred thousand letters."""
    count, length = 100_000, 100_000
    data = file.create_dataset("texts", (count,), h5py.string_dtype())
    data[0] = "x" * length
    file.flush()
    place, raw = data.id.get_offset(), Path(file.filename)
    with raw.open("r+b") as bytes_:
        bytes_.seek(place)
        one = bytes_.read(16)
        bytes_.seek(place)
        bytes_.write(one * count)


def _objects(file: Any, outside: Path) -> None:
    file.create_dataset("references", (2,), h5py.ref_dtype)[0] = file["output"].ref


def _regions(file: Any, outside: Path) -> None:
    file.create_dataset("regions", (2,), h5py.regionref_dtype)[0] = file["output"].regionref[:1]


def _link(make: Callable[[Path], Any]) -> Change:
    def change(file: Any, outside: Path) -> None:
        file["linked"] = make(outside)

    return change


def _of_type(kind: Any) -> Change:
    def change(file: Any, outside: Path) -> None:
        file.create_dataset("odd", (3,), kind)

    return change


def _attribute(kind: Any, value: Any) -> Change:
    def change(file: Any, outside: Path) -> None:
        file.attrs.create("odd", value, dtype=kind)

    return change


def _reference_attribute(file: Any, outside: Path) -> None:
    file["output"].attrs["odd"] = file["input"].ref


def _committed(file: Any, outside: Path) -> None:
    file["kind"] = np.dtype("f8")
    file.create_dataset("odd", (3,), file["kind"])


DATA: dict[str, tuple[Change, str]] = {
    "data outside": (_external, "are in other files"),
    "data outside, by a relative path": (_external_relative, "are in other files"),
    "virtual": (_virtual, "are in other files"),
    "virtual, without end": (_virtual_without_end, "are in other files"),
    "virtual, of many files": (_virtual_many, "are in other files"),
    "external link": (_link(lambda outside: h5py.ExternalLink(str(outside), "/x")), "is a link"),
    "external link to a device": (_link(lambda outside: h5py.ExternalLink("/dev/zero", "/x")), "is a link"),
    "soft link": (_link(lambda outside: h5py.SoftLink("/output")), "is a link"),
    "soft link to nowhere": (_link(lambda outside: h5py.SoftLink("/../nowhere")), "is a link"),
    "soft link to itself": (_link(lambda outside: h5py.SoftLink("/linked")), "is a link"),
    "group": (lambda file, _: file.create_group("group"), "no dataset but a group"),
    "group in a circle": (lambda file, _: file.__setitem__("circle", file["/"]), "no dataset but a group"),
    "type with a name": (_committed, "no dataset but a group or a type"),
    "filter of a plugin": (_filtered(32015, 3), "packed by the filters"),
    "filter of a plugin, another": (_filtered(307, 1), "packed by the filters"),
    "filter lzf": (lambda file, _: file.create_dataset("z", data=np.zeros(99), compression="lzf"), "packed by the"),
    "filter scale and offset": (
        lambda file, _: file.create_dataset("z", data=np.arange(99), scaleoffset=0),
        "packed by",
    ),
    "deflated twice": (_twice_deflated, "packed by the filters"),
    "deflated zeros": (_bomb, r"say that they are [\d,]+ bytes of data"),
    "one large piece": (_one_large_piece, r"say that they are [\d,]+ bytes of data"),
    "never written": (_never_written, "has a size and no data"),
    "never written, in pieces": (_never_written_pieces, "has a size and no data"),
    "filled up": (_says_it_is_a_dimension, "not the shape of its dimensions"),
    "filled up along a long one": (_long_along, "not the shape of its dimensions"),
    "along something else": (_along_no_dataset, "refers to something that is no dataset"),
    "a dimension that is something else": (_dimension_of("/"), "refers to something that is no dataset"),
    "a dimension that is gone": (_dimension_of("away"), "nable to open object"),
    "a text that is many": (_text_shared, r"say that they are [\d,]+ bytes of data"),
    "references": (_objects, "neither numbers nor texts"),
    "references to regions": (_regions, "neither numbers nor texts"),
    "reference in an attribute": (_reference_attribute, "neither numbers nor texts"),
    "compound": (_of_type(np.dtype([("a", "f8"), ("b", "f8")])), "neither numbers nor texts"),
    "opaque": (_of_type(np.dtype("V16")), "neither numbers nor texts"),
    "arrays as numbers": (_of_type(np.dtype(("f8", (1000,)))), "neither numbers nor texts"),
    "lists of any length": (_of_type(h5py.vlen_dtype("f8")), "neither numbers nor texts"),
    "compound attribute": (_attribute(np.dtype([("a", "f8")]), np.zeros(1, dtype=[("a", "f8")])), "neither numbers"),
    "list of dimensions of numbers": (
        lambda file, _: file.attrs.create("DIMENSION_LIST", [1.0]),
        "a list of dimensions",
    ),
    "list of references of numbers": (
        lambda file, _: file.attrs.create("REFERENCE_LIST", [1.0]),
        "a list of references",
    ),
}
"""By name, what is done to a file, and what is said of it."""

# Checkpoints.


def _header(shape: str, kind: str = "'<f8'", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode()


def _array(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return stream.getvalue()


def _overlapping() -> bytes:
    """An archive in which a thousand names share one content."""
    one = archive({"tree.npy": _array(np.zeros(2**17))})
    end = one.rfind(b"PK\x05\x06")
    first = one.rfind(b"PK\x01\x02")
    entry, count = one[first:end], 1000
    entries = b"".join(entry.replace(b"tree", f"{n:04d}".encode()) for n in range(count))
    return one[:first] + entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), first, 0)


def _encrypted() -> bytes:
    content = bytearray(archive({"tree.npy": _array(np.zeros(3))}))
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "deflated bomb": lambda: archive(
        {"tree.npy": _header(f"({2**27},)", "'|i1'") + bytes(2**27)}, zipfile.ZIP_DEFLATED
    ),
    "deflated": lambda: archive({"tree.npy": _array(np.zeros(3))}, zipfile.ZIP_DEFLATED),
    "packed by bzip2": lambda: archive({"tree.npy": _array(np.zeros(3))}, zipfile.ZIP_BZIP2),
    "packed by LZMA": lambda: archive({"tree.npy": _array(np.zeros(3))}, zipfile.ZIP_LZMA),
    "a thousand names for one": _overlapping,
    "encrypted": _encrypted,
    "a promise": lambda: archive({"tree.npy": _header(f"({2**40},)")}),
    "a promise of many dimensions": lambda: archive({"tree.npy": _header(str((2**20,) * 30))}),
    "less than nothing": lambda: archive({"tree.npy": _header("(-8,)") + bytes(64)}),
    "numbers that are arrays": lambda: archive({"tree.npy": _header("(1,)", f"('<f8', ({2**30},))")}),
    "texts of a gigabyte": lambda: archive({"tree.npy": _header("(4,)", f"'<U{2**28}'")}),
    "objects": lambda: archive({"tree.npy": _header("(1,)", "'|O'") + b"cposix\nsystem\n(S'touch executed'\ntR."}),
    "records": lambda: archive({"tree.npy": _header("(1,)", "[('a', '<f8')]") + bytes(8)}),
    "records of objects": lambda: archive({"tree.npy": _header("(1,)", "[('a', '|O')]") + bytes(8)}),
    "a header that calls": lambda: archive({"tree.npy": _header("__import__('os').system('touch executed')")}),
    "a header without end": lambda: archive({"tree.npy": _header("(" * 3000)}),
    "a version to come": lambda: archive({"tree.npy": _header("(1,)", version=b"\x09\x00") + bytes(8)}),
    "a pickle in place of an array": lambda: archive({"tree.npy": b"cposix\nsystem\n(S'touch executed'\ntR."}),
    "a pickle in place of the file": lambda: b"cposix\nsystem\n(S'touch executed'\ntR.",
    "an array in place of the file": lambda: _array(np.zeros(3)),
    "a program beside the arrays": lambda: archive({"tree.npy": _array(np.zeros(3)), "../../evil.py": b"import os"}),
    "an archive in the archive": lambda: archive({"tree.npy": archive({"tree.npy": _array(np.zeros(3))})}),
    "no tree": lambda: archive({"a0.npy": _array(np.zeros(3))}),
    "a tree that is no text": lambda: archive({"tree.npy": _array(np.full(9, 255, dtype=np.uint8))}),
    "a tree without end": lambda: archive({"tree.npy": _array(np.frombuffer(b"[" * 200_000, dtype=np.uint8))}),
    "a tree that names a class": lambda: archive(
        {"tree.npy": _array(np.frombuffer(b'{"__kind__": "os.system", "name": "touch executed"}', dtype=np.uint8))}
    ),
}
"""By name, the content of a checkpoint that has the checksum beside it."""
