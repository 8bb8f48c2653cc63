"""Scenes at random, most of them spoilt: small enough to run, or absurd enough that they must be refused at once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

import tomli_w

STRINGS = (
    "",
    "left",
    "right",
    "nobody",
    "../../evil",
    "/etc/passwd",
    "/dev/zero",
    "~/x",
    "net.txt",
    "folder",
    "leads_out",
    "x" * 5000,
    "[/red]",
    "[link=file:///etc/passwd]",
    "$\\frac{",
    "\x1b[2J\x07",
    "\u202eabc",
    "a\x00b",
    "__import__('os').mkdir('canary')",
    "{0.__class__.__init__.__globals__}",
    "%s%s%n",
    "`mkdir canary`",
    "$(mkdir canary)",
    "!!python/object/apply:os.mkdir ['canary']",
    "sqrt",
    "\U0001f300",
    "ｋ",
    "fire",
    "newton",
    "sweeps",
    "fused",
)
NUMBERS = (
    0,
    -1,
    1,
    2,
    3,
    7,
    10**12,
    -(10**12),
    2**31,
    2**63 - 1,
    -(2**63),
    10**30,
    0.0,
    -0.0,
    0.5,
    1.5,
    -2.5,
    1e-300,
    5e-324,
    1e-30,
    1e12,
    1e30,
    1e155,
    1e308,
    math.nan,
    math.inf,
    -math.inf,
)
OTHERS = (True, False, [], {}, [[]], [0], [0, 1], [1, 0.5], [[0, 1]], [[0, 1], [2, 3]], {"low": 0.1, "high": 1.0})

SPREADS = (1.0, 0.3, {"low": 0.1, "high": 1.0}, {"distribution": "lognormal", "sigma": 0.3})

Table = dict[str, Any]
Recipe = Callable[[Random], Table]

LATTICES: tuple[Recipe, ...] = (
    lambda r: {"type": "triangular", "shape": [r.randint(3, 6), r.randint(2, 6)]},
    lambda r: {"type": "square", "shape": [r.randint(3, 5), 4], "diagonals": True, "hole": r.choice([0.0, 0.9])},
    lambda r: {"type": "triangular", "shape": [6, 6], "dilution": r.choice([0.0, 0.1])},
    lambda r: {"type": r.choice(["honeycomb", "kagome", "square"]), "shape": [r.randint(2, 4), r.randint(2, 4)]},
    lambda r: {"type": r.choice(["cubic", "fcc"]), "shape": [r.randint(1, 3)] * 3, "periodic": r.random() < 0.2},
    lambda r: {"type": "jittered_grid", "side": r.randint(3, 7), "jitter": r.choice([0.0, 0.3])},
    lambda r: {"type": "random_geometric", "nodes": 25, "coordination": 4.5, "dimension": 2},
)
PACKINGS: tuple[Recipe, ...] = (
    lambda r: {"type": "packing", "nodes": r.choice([12, 20]), "boundary": r.choice(["free", "free", "periodic"])},
)
WIRES: tuple[Recipe, ...] = (
    lambda r: {"type": "random_graph", "nodes": 24, "edges": r.randint(23, 90)},
    lambda r: {"type": "jittered_grid", "side": r.randint(5, 7)},
)
FILES: tuple[Recipe, ...] = (
    lambda r: {"type": "file", "path": r.choice(["net.txt", "net.txt", "net.graphml", "bad.txt", "leads_out"])},
)
LAYERS: tuple[Recipe, ...] = (
    lambda r: {"type": "layered", "layers": r.choice([[6, 8, 1], [6, 1], [[1, 2, 3], 6, 1]])},
)
SPRINGS: tuple[Recipe, ...] = (
    lambda r: {"type": "spring_lattice", "stiffness": r.choice(SPREADS), "geometry": r.choice(["true", "linearized"])},
    lambda r: {"type": "elastic_network", "stiffness": r.choice(SPREADS), "prestrain": r.choice([0.0, 0.1])},
    lambda r: {"type": "elastic_network", "adjustable": "rest length"},
)
FLOWS: tuple[Recipe, ...] = (
    lambda r: {"type": "flow_network", "conductance": r.choice(SPREADS), "minimum": r.choice([1e-3, 0.1])},
    lambda r: {"type": "flow_network", "law": r.choice(["power", "diode"]), "turn": "at random"},
)
UNITS: tuple[Recipe, ...] = (
    lambda r: {"type": "hopfield", "stiffness_relaxations": r.choice(["once", "joint"])},
    lambda r: {"type": "resistive", "diodes": r.random() < 0.5},
)
NUMBERS_TO_LEARN: tuple[Recipe, ...] = (
    lambda r: {"type": "xor"},
    lambda r: {"type": "iris", "train_samples": r.choice([6, 9])},
    lambda r: {"type": "linear_regression", "samples": 5, "inputs": 1, "outputs": r.choice([1, 2])},
    lambda r: {"type": "function_1d", "samples": 5, "function": r.choice(["sine", "parabola"])},
)
CONTROLLERS: tuple[Recipe, ...] = (
    lambda r: {"type": "aeqprop", "variant": r.choice(["optimistic", "pessimistic", "centered"]), "beta": 0.5},
    lambda r: {"type": "aeqprop", "beta": r.choice([1e-3, 0.1, 30.0])},
    lambda r: {"type": "eqprop", "assumed_law": r.choice(["own", "linear"])},
    lambda r: {"type": r.choice(["adjoint", "contrastive", "coupled_learning"])},
    lambda r: {"type": "spsa", "log": r.random() < 0.5},
)


def scene(rng: Random) -> str:
    """The text of a scene: well formed in nine of ten cases, and with up to two of its values spoilt."""
    data = _sound(rng)
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
        _spoil(data, rng)
    try:
        text = tomli_w.dumps(data)
    except (TypeError, ValueError):  # spoilt beyond what TOML can say
        text = json.dumps(data, default=str)
    return text if rng.random() < 0.9 else _garbled(text, rng)


def _sound(rng: Random) -> Table:
    """A scene in which most things fit each other."""
    data: Table = {"seed": rng.randint(0, 5), "title": rng.choice(["", "A scene", *STRINGS[12:18]])}
    if rng.random() < 0.2:
        data["groups"] = {rng.choice(["g", "left", "a b", "é"]): _group(rng)}
    rng.choice((_statics, _statics, _flow, _motion, _learning, _learning, _allostery, _layered))(data, rng)
    if rng.random() < 0.05:
        data["system"] = rng.choice((*SPRINGS, *FLOWS, *UNITS))(rng)
    return data


def _held(data: Table, rng: Random, **moved: Any) -> None:
    data["clamp"] = [{"nodes": "left"}, {"nodes": rng.choice(["right", "right", [2]]), **moved}]


def _statics(data: Table, rng: Random) -> None:
    data["network"] = rng.choice((*LATTICES, *LATTICES, *FILES))(rng)
    data["system"] = rng.choice(SPRINGS)(rng)
    three = data["network"]["type"] in ("cubic", "fcc")
    _held(data, rng, displacement=rng.choice([[0.2, 0.1], [0.0, 0.0], [-0.3, 0.0]]) + [0.0] * three)
    if rng.random() < 0.3:
        data["push"] = [{"nodes": [rng.randint(0, 12)], "force": rng.choice([0.01, [0.1, 0.0], 1e3])}]
    data["relax"] = rng.choice([{}, {"method": rng.choice(STRINGS[-4:]), "max_iterations": 60}])


def _flow(data: Table, rng: Random) -> None:
    data["network"] = rng.choice((*LATTICES, *WIRES, *FILES))(rng)
    data["system"] = rng.choice(FLOWS)(rng)
    data["clamp"] = [{"nodes": [0], "value": 0.0}, {"nodes": [2], "value": rng.choice([1.0, -3.0, 0.0])}]
    data["relax"] = {"tolerance": rng.choice([1e-10, 1e-6])}


def _motion(data: Table, rng: Random) -> None:
    data["network"], data["system"] = rng.choice(LATTICES)(rng), rng.choice(SPRINGS)(rng)
    _held(data, rng)
    data["dynamics"] = {"time_step": rng.choice([0.02, 0.05, 2.0]), "steps": 20, "every": rng.choice([1, 5, 30])}
    if rng.random() < 0.5:
        data["dynamics"]["strike"] = [{"nodes": [2], "velocity": [0.0, 1.0]}]
    if rng.random() < 0.3:
        data["dynamics"]["shake"] = [{"nodes": "left", "amplitude": 0.1, "frequency": 1.0}]
    if rng.random() < 0.3:
        data["dynamics"]["temperature"], data["system"]["damping"] = 0.1, rng.choice([0.0, 0.5])


def _learning(data: Table, rng: Random) -> None:
    data["network"], data["system"] = rng.choice(WIRES)(rng), rng.choice(FLOWS)(rng)
    data["task"], data["terminals"] = rng.choice(NUMBERS_TO_LEARN)(rng), {"pick": "random"}
    _trained(data, rng)


def _allostery(data: Table, rng: Random) -> None:
    data["network"], data["system"] = rng.choice(PACKINGS)(rng), rng.choice((*SPRINGS, *FLOWS))(rng)
    data["task"] = {"type": "allostery" if "conductance" not in data["system"] else "tuned_flow"}
    data["terminals"] = {"pick": "boundary pairs"}
    _trained(data, rng)


def _layered(data: Table, rng: Random) -> None:
    data["network"], data["system"] = rng.choice(LAYERS)(rng), rng.choice(UNITS)(rng)
    data["task"], data["terminals"] = {"type": "xor"}, {"inputs": "input", "outputs": "output"}
    _trained(data, rng)


def _trained(data: Table, rng: Random) -> None:
    data["controller"] = rng.choice(CONTROLLERS)(rng)
    data["training"] = {"epochs": rng.choice([1, 2]), "batch": rng.choice([1, 3])}
    if rng.random() < 0.5:
        data["bench"] = {
            "compliance": rng.choice([0.01, 0.3, 5.0]),
            "coupling": rng.choice(["quadratic", "quadratic", "log"]),
            "homeostat": rng.choice(["ideal", "ideal", "integral"]),
            "tolerance": 1e-8,
        }


def _group(rng: Random) -> dict[str, Any]:
    return dict(
        rng.choice(
            [
                {"nodes": [0, 2]},
                {"side": "left"},
                {"center": [0.0, 0.0], "radius": 1.5},
                {"lower": [0.0, 0.0], "upper": [1.0, 1.0]},
            ]
        )
    )


def _spoil(data: dict[str, Any], rng: Random) -> None:
    """Change, drop, add or swap one value somewhere."""
    places = list(_places(data))
    table, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del table[key]
        case 1 if isinstance(table, dict):
            table[str(key)[:-1] + rng.choice("xyz_")] = table.pop(key)
        case 2 if isinstance(table, dict):
            table[rng.choice([*STRINGS, "seed", "type", "nodes"])] = _value(rng)
        case 3:
            other, at = rng.choice(places)
            if at in other if isinstance(other, dict) else at < len(other):  # not deleted with its table
                table[key] = json.loads(json.dumps(other[at]))
        case _:
            table[key] = _value(rng)


def _places(data: Any) -> Any:
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _value(rng: Random) -> Any:
    kind = rng.choice([NUMBERS, NUMBERS, STRINGS, OTHERS])
    value = rng.choice(kind)
    return json.loads(json.dumps(value)) if isinstance(value, (dict, list)) else value


def _garbled(text: str, rng: Random) -> str:
    """Text with some characters dropped, doubled or replaced."""
    characters = list(text)
    for _ in range(rng.randint(1, 8)):
        if characters:
            at = rng.randrange(len(characters))
            characters[at] = rng.choice(["", characters[at] * 2, rng.choice("\x00\"'[]{}=.,#\\\n\t\u202e9")])
    return "".join(characters)
