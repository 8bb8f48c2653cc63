"""All draws come from named generators; nothing draws from a generator that a scene's seed does not reach."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import sandbox.seeds
from sandbox.seeds import stream

ROOT = Path(__file__).resolve().parents[1]

SEEDED = {
    "sandbox/seeds.py",
    "sandbox/physics/graphs/_checks.py",  # the seed of a graph that is built by hand
    "sandbox/physics/graphs/packings.py",
    "sandbox/physics/groups.py",
}
"""Files that make generators from a seed they are given."""

NAMES = (
    "network", "terminals", "system", "disguise", "compliance", "task", "controller", "imperfections", "shuffle",
    "search",
)  # fmt: skip

HARMLESS = {"Generator", "default_rng", "PCG64", "Philox"}


def calls(path: Path) -> list[tuple[str, list[ast.expr]]]:
    """Uses of ``np.random.NAME`` in a file, and the arguments of those that are calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    arguments = {id(n.func): n.args for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return [
        (n.attr, arguments.get(id(n), []))
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and ast.unparse(n.value) in ("np.random", "numpy.random")
    ]


def test_nobody_draws_from_a_generator_of_no_name() -> None:
    files = [*ROOT.glob("sandbox/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    assert len(files) > 50
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        source = path.read_text(encoding="utf-8")
        assert "import random\n" not in source, name
        for what, arguments in calls(path):
            assert what in HARMLESS, f"{name} uses np.random.{what}"
            if what == "default_rng" and name not in SEEDED:
                fixed = len(arguments) == 1 and isinstance(arguments[0], ast.Constant)
                assert fixed, f"{name} makes a generator of its own, from {[ast.unparse(a) for a in arguments]}"


def test_names_in_use_are_listed() -> None:
    used = set()
    for path in ROOT.glob("sandbox/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "stream":
                used.add(ast.literal_eval(node.args[1]))
    assert used == set(NAMES)
    assert all(f"``{name}``" in (sandbox.seeds.__doc__ or "") for name in NAMES)


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 3])
def test_streams_are_different(seed: int) -> None:
    streams = [stream(seed, name) for name in NAMES] + [stream(seed, "shuffle", n) for n in range(1, 30)]
    draws = np.array([s.standard_normal(200) for s in streams])
    for one, other in combinations(draws, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.45  # 6 standard deviations
    np.testing.assert_array_equal(stream(seed, "task").random(5), stream(seed, "task").random(5))
    assert stream(seed, "shuffle").random() == stream(seed, "shuffle", 0).random()
