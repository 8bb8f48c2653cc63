"""Datasets in netCDF files that somebody else may have written.

An HDF5 file can say that its data lie in other files, that a library is to be loaded to unpack them, and that a few
bytes stand for any number. A run writes none of that. So a file is looked over first, and what it says of itself is
compared with what it holds; nothing is read before.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.errors import NetworkError, RunError
from sandbox.files import read_bytes
from sandbox.physics.memory import require

if TYPE_CHECKING:
    import xarray as xr

MOST_UNFOLDED = 2**30
"""Bytes of memory that any file may unfold to."""

MOST_TIMES = 100
"""Bytes of memory for each byte of a larger file. Recorded states pack to a half, constant ones to a thousandth."""

NUMBER = 8
"""Bytes that a number takes at least: small whole numbers become floating-point ones when they are scaled."""

_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
_HEAP = re.compile(rb"GCOL....(.{8})", re.DOTALL)
"""Where texts of any length lie: many places may refer to one."""


class _Refused(Exception):  # noqa: N818 (it says of what, and becomes an error that names the file)
    """What a run does not write."""


_UNREADABLE = (
    OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError, OverflowError, MemoryError,
)  # fmt: skip


def read_dataset(path: Path) -> xr.Dataset:
    """Read the dataset of a file into memory.

    Raises:
        RunError: naming the file, if it cannot be read, or has what no run writes: data in other files, filters from
            plugins, groups, links, references, or far more data than bytes.
    """
    import xarray as xr

    try:
        content = read_bytes(path)
        with _without_plugins():
            _look_over(content)
            # Numbers with a unit of time stay numbers.
            with xr.open_dataset(
                io.BytesIO(content), engine="h5netcdf", decode_times=False, decode_timedelta=False
            ) as found:
                return found.load()
    except (_Refused, NetworkError) as error:
        raise RunError(f"{path} is not read: {error}") from None
    except _UNREADABLE as error:
        raise RunError(f"{path} cannot be read: {error or type(error).__name__}") from error


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Within, HDF5 finds no library to load for a filter, wherever the environment says they are."""
    h5pl = _h5py().h5pl
    places = [h5pl.get(n) for n in range(h5pl.size())]
    try:
        for _ in places:
            h5pl.remove(0)
        yield
    finally:
        for place in places:
            h5pl.append(place)


def _look_over(content: bytes) -> None:
    """See that a file has what a run writes, and no more data than it says.

    Raises:
        _Refused: for what a run does not write.
        NetworkError: if there is no memory for it.
    """
    h5py = _h5py()
    heap = max((int.from_bytes(found[1], "little") for found in _HEAP.finditer(content)), default=0)
    text = min(heap, len(content))
    with h5py.File(io.BytesIO(content), "r") as file:
        root = file.id
        names: list[bytes] = []
        root.links.iterate(names.append)
        total = _attributes(h5py.h5g.open(root, b"/"), text)
        shapes, places, datasets = {}, set(), {}
        for name in names:
            what = repr(name.decode("utf-8", "replace"))
            if root.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise _Refused(f"{what} is a link to something else")
            found = h5py.h5o.open(root, name)
            if not isinstance(found, h5py.h5d.DatasetID):
                raise _Refused(f"{what} is no dataset but a group or a type; a run has datasets side by side")
            total += _dataset(found, what, text) + _attributes(found, text)
            shapes[name.decode("utf-8", "replace")] = found.shape
            places.add(h5py.h5o.get_info(found).addr)
            datasets[what] = h5py.Dataset(found)
        if total > max(MOST_UNFOLDED, MOST_TIMES * len(content)):
            raise _Refused(f"its {len(content):,} bytes say that they are {total:,} bytes of data")
        require("its data", total)
        for what, dataset in datasets.items():
            references = [reference for axis in dataset.attrs.get("DIMENSION_LIST", ()) for reference in axis]
            if None in dataset.maxshape:  # one without a fixed size is as large as what it refers to
                references += [entry[0] for entry in dataset.attrs.get("REFERENCE_LIST", ())]
            for reference in references:
                if h5py.h5o.get_info(h5py.h5r.dereference(reference, root)).addr not in places:
                    raise _Refused(f"{what} refers to something that is no dataset of the file")
    with import_module("h5netcdf").File(io.BytesIO(content), "r") as file:  # what is shorter would be filled up
        for name, variable in file.variables.items():
            if variable.shape != shapes[name]:
                raise _Refused(f"{name!r} has not the shape of its dimensions")


def _dataset(found: Any, what: str, text: int) -> int:
    """Bytes of a dataset in memory. Its shape is asked for last: to know that of a virtual one, files are opened."""
    h5d, h5z = _h5py().h5d, _h5py().h5z
    made = found.get_create_plist()
    layout = made.get_layout()
    if made.get_external_count() or layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
        raise _Refused(f"the data of {what} are in other files")
    filters = [made.get_filter(n)[0] for n in range(made.get_nfilters())]
    known = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
    if not set(filters) <= known or len(set(filters)) < len(filters):
        raise _Refused(f"the data of {what} are packed by the filters {filters}; a run uses deflate and shuffle")
    shape = found.get_space().get_simple_extent_dims()
    chunk = made.get_chunk() if layout == h5d.CHUNKED else ()
    # A piece is unpacked whole, however little of it is asked for.
    size = (prod(shape) and max(prod(shape), prod(chunk))) * _size(found.get_type(), what, text)
    if not found.get_storage_size() and size:
        if not _is_no_variable(found):
            raise _Refused(f"{what} has a size and no data")
        return 0
    return size


def _attributes(found: Any, text: int) -> int:
    """Bytes of attributes in memory."""
    h5a, h5t = _h5py().h5a, _h5py().h5t
    total = 0
    for index in range(h5a.get_num_attrs(found)):
        attribute = h5a.open(found, index=index)
        kind, name = attribute.get_type(), attribute.name.decode("utf-8", "replace")
        size = kind.get_size()
        if name == "DIMENSION_LIST":
            if kind.get_class() != h5t.VLEN or kind.get_super().get_class() != h5t.REFERENCE:
                raise _Refused("a list of dimensions is something else")
            size = text
        elif name == "REFERENCE_LIST":
            members = range(kind.get_nmembers()) if kind.get_class() == h5t.COMPOUND else ()
            if [kind.get_member_class(n) for n in members] != [h5t.REFERENCE, h5t.INTEGER]:
                raise _Refused("a list of references is something else")
        else:
            size = _size(kind, f"the attribute {name!r}", text)
        total += prod(attribute.shape) * size
    return total


def _size(kind: Any, what: str, text: int) -> int:
    """Bytes of a number or a text in memory."""
    h5t = _h5py().h5t
    if kind.get_class() not in (h5t.INTEGER, h5t.FLOAT, h5t.STRING) or kind.committed():
        raise _Refused(f"{what} is made of neither numbers nor texts")
    if kind.get_class() == h5t.STRING and kind.is_variable_str():
        return text
    return max(NUMBER, kind.get_size())


def _is_no_variable(found: Any) -> bool:
    """Whether a dataset is there for its size alone, as a dimension; nobody reads it."""
    return _NO_VARIABLE in _h5py().Dataset(found).attrs.get("NAME", b"")


def _h5py() -> Any:
    """The module, whose compiled part has no types."""
    return import_module("h5py")
