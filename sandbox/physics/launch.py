"""Launching kernels without Taichi's own detour, which costs more than a small kernel takes.

Taichi looks at every argument of every call anew: 200 to 400 microseconds for a kernel of a dozen arrays. Once a kernel
is compiled, all it needs are the addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof, c_char
from functools import cache
from typing import Any

import numpy as np

from sandbox.importing import uncollected


class Direct:
    """A Taichi kernel that takes arrays, whole numbers and floats.

    The first call, and any whose arguments are not of the same kinds, go through Taichi, which compiles and checks.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._kernel: Any = kernel
        self._kinds: tuple[Any, ...] | None = None
        self._launch: Callable[..., Any] = kernel

    def __call__(self, *arguments: Any) -> Any:
        if self._kinds is not None and tuple(map(_kind, arguments)) == self._kinds:
            return self._launch(*arguments)
        with uncollected():
            result = self._kernel(*arguments)
        if self._kinds is None:
            self._prepare(arguments)
        return result

    def _prepare(self, arguments: tuple[Any, ...]) -> None:
        kinds = tuple(map(_kind, arguments))
        if None in kinds:
            return
        from taichi.lang import impl
        from taichi.types import primitive_types

        try:
            primal = self._kernel._primal
            program: Any = impl.get_runtime().prog
            made = primal.compiled_kernels[primal.ensure_compiled(*arguments)]
            code = program.compile_kernel(program.config(), program.get_device_caps(), made)
            returned = primal.return_type
            real = [id(argument.annotation) in primitive_types.real_type_ids for argument in primal.arguments]
        except (AttributeError, KeyError):  # another release of Taichi: its own way works in all
            return

        def launch(*arguments: Any) -> Any:
            context = made.make_launch_context()
            for place, (value, floating) in enumerate(zip(arguments, real, strict=True)):
                where = (place,)
                if isinstance(value, np.ndarray):
                    address = _address(value)
                    context.set_arg_external_array_with_shape(where, address, value.nbytes, value.shape, 0)
                elif floating:
                    context.set_arg_float(where, float(value))
                else:
                    # Whole numbers of 64 bits without a sign are handed over as those with one of the same bits.
                    context.set_arg_int(where, int(value) - (2**64 if value >= 2**63 else 0))
            program.launch_kernel(code, context)
            if returned is None:
                return None
            return primal.construct_kernel_ret(context, returned[0], (0,))

        self._kinds, self._launch = kinds, launch


@cache
def direct(kernel: Callable[..., Any]) -> Direct:
    """The same for a kernel of a module; one for all callers."""
    return Direct(kernel)


def _address(array: Any) -> int:
    """``array.ctypes.data``, in a fifth of the time where the array may be written to."""
    if array.flags.writeable and array.nbytes:
        return addressof(c_char.from_buffer(array))
    return array.ctypes.data


def _kind(value: Any) -> Any:
    """What tells arguments apart; None for what only Taichi can take."""
    if isinstance(value, np.ndarray):
        return (value.dtype.char, value.ndim) if value.flags.c_contiguous else None
    if isinstance(value, int | np.integer):
        return int
    return float if isinstance(value, float | np.floating) else None
