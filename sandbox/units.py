"""Units of what a run records. Nothing converts them: they are names, put together as the quantities are.

A scene may name its units (``[units]``): with ``energy = "mJ"`` and ``length = "mm"`` spring constants are in
``mJ/mm**2``. What is not named stands in brackets, as dimensions do: ``[energy]/[length]**2``. ``1`` is a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import xarray as xr

Powers = Mapping[str, float]
"""A quantity as powers of base quantities."""

NUMBER: Powers = {}
LENGTH: Powers = {"length": 1}
TIME: Powers = {"time": 1}
ENERGY: Powers = {"energy": 1}
FORCE: Powers = {"energy": 1, "length": -1}
VELOCITY: Powers = {"length": 1, "time": -1}
STIFFNESS: Powers = {"stiffness": 1}

_NAME = r"^[^\x00-\x1f\[\]]{1,40}$"


class Units(BaseModel):
    """Names of units, for labels and for the attribute ``units`` of what is recorded. Nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: str | None = Field(None, pattern=_NAME, description="of positions")
    energy: str | None = Field(None, pattern=_NAME, description="of energies")
    time: str | None = Field(None, pattern=_NAME, description="of times")
    state: str | None = Field(None, pattern=_NAME, description="of states that are not positions: pressures, voltages")
    stiffness: str | None = Field(
        None, pattern=_NAME, description="of stiffnesses, where it is not to be put together from the others"
    )


def state_of(moves: bool) -> Powers:
    """What a state is: a length where it is positions."""
    return LENGTH if moves else {"state": 1}


def force_on(state: Powers) -> Powers:
    """What pushes a state."""
    return {"energy": 1, **{base: -power for base, power in state.items()}}


def squared(quantity: Powers) -> Powers:
    """Its square."""
    return {base: 2 * power for base, power in quantity.items()}


def unit(quantity: Powers, names: Units | None, state: str, stiffness: Powers | None) -> str:
    """The attribute ``units`` of a quantity.

    Args:
        quantity: what it is.
        names: the scene's units.
        state: what a state is that is not a position, in a word.
        stiffness: what a stiffness is, where the system says so; else a quantity of its own.
    """
    given = {k: v for k, v in (names.model_dump() if names else {}).items() if v is not None}
    if stiffness is None or "stiffness" in given:
        stiffness = STIFFNESS
    powers: dict[str, float] = {}
    for base, power in quantity.items():
        for name, more in (stiffness if base == "stiffness" else {base: 1}).items():
            powers[name] = powers.get(name, 0) + power * more
    called = {base: given.get(base, f"[{state if base == 'state' else base}]") for base in powers}
    over = "*".join(_power(called[b], p) for b, p in powers.items() if p > 0 and called[b] != "1")
    under = "".join(f"/{_power(called[b], -p)}" for b, p in powers.items() if p < 0 and called[b] != "1")
    return (over or "1") + under


def label(variable: xr.DataArray, name: str = "", *, short: bool = False) -> str:
    """What a figure calls a variable: its name and, if the scene named it, its unit.

    Args:
        variable: with ``long_name`` and ``units``.
        name: in place of the long name.
        short: without what follows a comma in it.
    """
    name = name or str(variable.attrs.get("long_name", variable.name or ""))
    name = name.partition(",")[0] if short else name
    return labelled(name, str(variable.attrs.get("units", "")))


def labelled(name: str, unit: str) -> str:
    """A name with its unit; without, where the unit is 1 or not whole."""
    return name if unit in ("", "1") or "[" in unit else f"{name} ({pretty(unit)})"


def measured(value: str, unit: str) -> str:
    """The text of a value with its unit; without, where the unit is 1 or not whole."""
    return value if unit in ("", "1") or "[" in unit else f"{value} {pretty(unit)}"


def pretty(unit: str) -> str:
    """A unit for a figure: ``mJ/mm²``."""
    for power, sign in (("**2", "²"), ("**3", "³"), ("*", "·")):
        unit = unit.replace(power, sign)
    return unit


def _power(name: str, power: float) -> str:
    if power == 1:
        return name
    name = f"({name})" if any(c in name for c in "*/ ") else name
    return f"{name}**{power:g}"
