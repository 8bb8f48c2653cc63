"""Launching kernels without Taichi's own detour, which costs more than a small kernel takes.

Taichi looks at every argument of every call anew: 200 to 400 microseconds for a kernel of a dozen arrays. Once a kernel
is compiled, all it needs are the addresses; and as a loop hands over the same arrays again and again, only those that
are others than the last time are told it anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from ctypes import addressof, c_char
from functools import cache
from typing import Any
from weakref import WeakSet

import numpy as np

from sandbox.importing import uncollected

_at = c_char.from_buffer
_made: WeakSet[Direct] = WeakSet()


class Direct:
    """A Taichi kernel that takes arrays, whole numbers and floats.

    The first call, and any whose arguments are not of the same kinds, go through Taichi, which compiles and checks.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._kernel: Any = kernel
        self._compiled: _Compiled | None = None
        _made.add(self)

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is not None and self._compiled.takes(arguments):
            return self._compiled.launch(arguments)
        with uncollected():
            result = self._kernel(*arguments)
        if self._compiled is None:
            self._compiled = _Compiled.of(self._kernel, arguments)
        return result


class _Call:
    """What Taichi was told of the arguments of a call: its context, and by place the address and shape of arrays."""

    def __init__(self, context: Any, count: int) -> None:
        self.context = context
        self.addresses = [0] * count
        self.shapes: list[tuple[int, ...]] = [()] * count


class _Compiled:
    """A compiled kernel, for arguments of these kinds."""

    def __init__(self, program: Any, made: Any, code: Any, primal: Any, kinds: tuple[Any, ...]) -> None:
        from taichi.types import primitive_types

        self._program, self._made, self._code, self._primal = program, made, code, primal
        self._kinds = kinds
        self._arrays = [(place, np.dtype(kind[0]), kind[1]) for place, kind in enumerate(kinds) if type(kind) is tuple]
        real = [id(argument.annotation) in primitive_types.real_type_ids for argument in primal.arguments]
        self._numbers = [(place, real[place]) for place, kind in enumerate(kinds) if type(kind) is not tuple]
        self._calls: list[_Call] = []  # that no thread is at

    @classmethod
    def of(cls, kernel: Any, arguments: tuple[Any, ...]) -> _Compiled | None:
        """None where only Taichi itself can launch it."""
        kinds = tuple(map(_kind, arguments))
        if None in kinds:
            return None
        from taichi.lang import impl

        try:
            primal = kernel._primal
            program: Any = impl.get_runtime().prog
            made = primal.compiled_kernels[primal.ensure_compiled(*arguments)]
            code = program.compile_kernel(program.config(), program.get_device_caps(), made)
            return cls(program, made, code, primal, kinds)
        except (AttributeError, KeyError):  # another release of Taichi: its own way works in all
            return None

    def takes(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the arguments are of these kinds."""
        if len(arguments) != len(self._kinds):
            return False
        for place, dtype, ndim in self._arrays:
            value = arguments[place]
            if type(value) is not np.ndarray or value.ndim != ndim or value.dtype != dtype:
                return False
            if not value.flags.c_contiguous:
                return False
        return all(_kind(arguments[place]) is self._kinds[place] for place, _ in self._numbers)

    def launch(self, arguments: tuple[Any, ...]) -> Any:
        try:
            call = self._calls.pop()
        except IndexError:
            call = _Call(self._made.make_launch_context(), len(arguments))
        context, addresses, shapes = call.context, call.addresses, call.shapes
        for place, _, _ in self._arrays:
            value = arguments[place]
            address, shape = _address(value), value.shape
            if address != addresses[place] or shape != shapes[place]:
                context.set_arg_external_array_with_shape((place,), address, value.nbytes, shape, 0)
                addresses[place], shapes[place] = address, shape
        for place, real in self._numbers:
            value = arguments[place]
            if real:
                context.set_arg_float((place,), float(value))
            else:
                # Whole numbers of 64 bits without a sign are handed over as those with one of the same bits.
                context.set_arg_int((place,), int(value) - (2**64 if value >= 2**63 else 0))
        self._program.launch_kernel(self._code, context)
        returned = self._primal.return_type
        result = None if returned is None else self._primal.construct_kernel_ret(context, returned[0], (0,))
        self._calls.append(call)
        return result


def _forget_compiled() -> None:
    """Forget what was compiled, in a forked child: its kernels are compiled for a runtime of its own."""
    for kernel in _made:
        kernel._compiled = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_compiled)


@cache
def direct(kernel: Callable[..., Any]) -> Direct:
    """The same for a kernel of a module; one for all callers."""
    return Direct(kernel)


def _address(array: Any) -> int:
    """``array.ctypes.data``, in a fifth of the time where the array may be written to."""
    if array.flags.writeable and array.nbytes:
        return addressof(_at(array))
    return array.ctypes.data


def _kind(value: Any) -> Any:
    """What tells arguments apart; None for what only Taichi can take."""
    if isinstance(value, np.ndarray):
        return (value.dtype.char, value.ndim) if value.flags.c_contiguous else None
    if isinstance(value, int | np.integer):
        return int
    return float if isinstance(value, float | np.floating) else None
