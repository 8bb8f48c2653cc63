"""Properties that hold whatever is put in: scenes, networks, laws, plugins. Hypothesis looks for what breaks them."""

from __future__ import annotations

import copy
import math
import types
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

import sandbox
from sandbox.errors import LawError, NetworkError, PluginError, SceneError
from sandbox.physics.graphs import from_networkx, to_networkx
from sandbox.physics.laws import CONDUCTANCE, EdgeLaw
from sandbox.plugins import Plugins
from sandbox.scene import names, validate
from sandbox.scene.shipped import find
from sandbox.scene.toml import parse_toml

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Scenes: what is in place of any of their values.

SCENES = {name: parse_toml(find(name).read_text(encoding="utf-8")) for name in names()}

ANYTHING = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "auto", "every", "1e400", "../x", "type", 0, -1, 1, math.inf, math.nan, 2**70]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)


def places(data: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to every value within."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*here, key)
        if isinstance(value, dict | list):
            yield from places(value, (*here, key))


@settings(few, max_examples=300)
@given(st.data())
def test_a_changed_scene_is_refused_in_clear_or_read_again_as_it_is(data: st.DataObject) -> None:
    scene = copy.deepcopy(SCENES[data.draw(st.sampled_from(sorted(SCENES)))])
    *way, last = data.draw(st.sampled_from(list(places(scene))))
    inside: Any = scene
    for key in way:
        inside = inside[key]
    if data.draw(st.booleans()):
        inside[last] = data.draw(ANYTHING)
    else:
        del inside[last]
    try:
        read = validate(scene)
    except SceneError as error:
        refusal = str(error)
    else:
        assert validate(read.resolved()).resolved() == read.resolved()
        return
    assert 1 < len(refusal.splitlines()) <= 40  # how many mistakes, and each by its key


# Networks.


@st.composite
def networks(draw: st.DrawFn) -> sandbox.Network:
    """Connected, any order of edges, parallel ones too."""
    n, dim = draw(st.integers(2, 12)), draw(st.integers(1, 3))
    coordinate = st.floats(-10, 10, allow_subnormal=False)
    positions = draw(st.lists(st.tuples(*[coordinate] * dim), min_size=n, max_size=n))
    tree = [(draw(st.integers(0, i - 1)), i) for i in range(1, n)]
    node = st.integers(0, n - 1)
    more = draw(st.lists(st.tuples(node, node).filter(lambda e: e[0] != e[1]), max_size=12))
    return sandbox.Network(np.array(positions), np.array(draw(st.permutations(tree + more))))


@few
@given(
    st.lists(st.lists(st.floats(), max_size=4), max_size=4),
    st.lists(st.lists(st.integers(-3, 2**70) | st.floats(), max_size=3), max_size=4),
    st.none() | st.lists(st.lists(st.floats(), max_size=3), max_size=3),
    st.none() | st.lists(st.floats(), max_size=5),
)
def test_any_lists_are_a_network_or_refused(
    positions: list[Any], edges: list[Any], shifts: list[Any] | None, cell: list[Any] | None
) -> None:
    try:
        network = sandbox.Network(positions, edges, shifts, cell)  # pyright: ignore[reportArgumentType]
    except NetworkError:
        return
    assert np.isfinite(network.positions).all()
    assert np.isfinite(network.shifts).all()
    assert network.cell is None or np.isfinite(network.cell).all()
    assert ((network.edges >= 0) & (network.edges < network.n_nodes)).all()
    assert (network.edges[:, 0] != network.edges[:, 1]).all()


@few
@given(networks())
def test_networkx_and_back_is_the_same_network(network: sandbox.Network) -> None:
    graph = to_networkx(network)
    assert nx.is_connected(nx.Graph(graph))
    back = from_networkx(graph)
    np.testing.assert_array_equal(back.positions, network.positions)
    ends = [sorted(map(tuple, np.sort(found.edges, axis=1).tolist())) for found in (network, back)]
    assert ends[0] == ends[1]


@few
@given(networks(), st.data())
def test_linear_flow_is_what_the_laplacian_says(network: sandbox.Network, data: st.DataObject) -> None:
    each = st.floats(0.1, 10.0)
    k = np.array(data.draw(st.lists(each, min_size=network.n_edges, max_size=network.n_edges)))
    first, last = 0, network.n_nodes - 1
    boundary = sandbox.Boundary.free(network.n_nodes, 1).clamp([first, last], [[1.0], [0.0]])
    found = sandbox.Material(network, CONDUCTANCE, {"k": k}).relax(boundary).state[0, :, 0]

    i, j = network.edges.T
    n = network.n_nodes
    laplacian = coo_array((np.r_[k, k, -k, -k], (np.r_[i, j, i, j], np.r_[i, j, j, i])), shape=(n, n)).tocsr()
    held = np.isin(np.arange(n), [first, last])
    wanted = np.where(np.arange(n) == first, 1.0, 0.0)
    if not held.all():
        side = -laplacian[~held][:, held] @ wanted[held]
        wanted[~held] = spsolve(laplacian[~held][:, ~held].tocsc(), side)
    np.testing.assert_allclose(found, wanted, atol=1e-9)

    # Names and directions are of no importance, nor is the unit of conductance.
    order = np.array(data.draw(st.permutations(range(network.n_edges))))
    turned = network.edges[order][:, ::-1] if data.draw(st.booleans()) else network.edges[order]
    other = sandbox.Material(sandbox.Network(network.positions, turned), CONDUCTANCE, {"k": 7.0 * k[order]})
    np.testing.assert_allclose(other.relax(boundary).state[0, :, 0], found, atol=1e-9)


# Laws.


def expressions() -> st.SearchStrategy[str]:
    """Of the grammar, in r and k, smooth and of moderate size where r is between 1 and 2 and k between 0.5 and 1."""
    leaf = st.sampled_from(["r", "k", "0.5", "2", "(r - 1.5)", "k*r"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        two = st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        quotient = st.tuples(inner, inner).map(lambda t: f"({t[0]})/(1 + ({t[1]})**2)")
        wrapped = st.tuples(st.sampled_from(["sin", "cos", "tanh"]), inner).map(lambda t: f"{t[0]}({t[1]})")
        root = inner.map(lambda e: f"sqrt(1 + ({e})**2)")
        power = st.tuples(inner, st.integers(2, 3)).map(lambda t: f"({t[0]})**{t[1]}")
        return two | quotient | wrapped | root | power

    return st.recursive(leaf, grow, max_leaves=5)


def check_derivatives(law: EdgeLaw, r: float, k: float) -> None:
    """Beside finite differences of the energy, and of derivatives that were compared with those."""
    _, slope, bend, e_k, e_kk, e_rk = (float(t) for t in law.on_numpy(np.float64(r), np.float64(k)))

    def value(which: int, at_r: float, at_k: float) -> float:
        return float(law.on_numpy(np.float64(at_r), np.float64(at_k))[which])

    h = 1e-4

    def change(which: int, in_r: float, in_k: float) -> float:
        """Five points, so the error is of fourth order."""
        near = value(which, r + h * in_r, k + h * in_k) - value(which, r - h * in_r, k - h * in_k)
        far = value(which, r + 2 * h * in_r, k + 2 * h * in_k) - value(which, r - 2 * h * in_r, k - 2 * h * in_k)
        return (8 * near - far) / (12 * h)

    wanted = [change(0, 1, 0), change(1, 1, 0), change(0, 0, 1), change(3, 0, 1), change(1, 0, 1)]
    size = 1.0 + max(map(abs, (value(0, r, k), slope, bend, e_k, e_kk, e_rk)))
    assume(size < 1e4)
    np.testing.assert_allclose([slope, bend, e_k, e_kk, e_rk], wanted, rtol=0, atol=1e-7 * size)


@few
@given(expressions(), st.floats(1.1, 1.9), st.floats(0.55, 0.95))
def test_derivatives_of_a_law_are_those_of_its_energy(text: str, r: float, k: float) -> None:
    try:
        law = EdgeLaw(text, ("k",))
    except LawError as error:
        refusal = str(error)
    else:
        check_derivatives(law, r, k)
        return
    assert "depends on neither" in refusal  # its r cancelled, or there was none


PIECES = ["r", "k", "(", ")", "**", "/", "-", "64", "1e99", "exp", "log", "min", ","]


@settings(few, max_examples=200)
@given(
    st.text(max_size=30)
    | st.text(alphabet="rkd01.e+-*/() ,_", max_size=25)
    | st.lists(st.sampled_from(PIECES), max_size=9).map("".join)
)
@example("0.")
def test_any_text_is_a_law_or_refused(text: str) -> None:
    try:
        law = EdgeLaw(text, ("k",))
        terms = law.terms
    except LawError:
        return
    assert law.variable in ("r", "d")
    assert len(terms) == 6


# Plugins: whatever an object may have under the names of hooks.

OBJECT = st.sampled_from([None, 3, "text", object(), type, int, [], sandbox.parts.Graph, sandbox.parts.Controller])


def hook_of(behaviour: str, name: object, part: object) -> Any:
    """A function of the right form that does what it should not."""

    def register(register: Any) -> Any:
        if behaviour == "raises":
            raise RuntimeError("no")
        if behaviour == "exits":
            raise SystemExit(1)
        if behaviour == "registers":
            register(name, part)
        return part

    return sandbox.hookimpl(register)


@few
@given(
    st.sampled_from(
        ["register_graphs", "register_systems", "register_tasks", "register_controllers", "register_moods"]
    ),
    st.sampled_from(["raises", "exits", "registers", "gives back"]),
    st.text(max_size=5) | st.integers() | st.sampled_from(["square", "flow", "mine"]),
    OBJECT,
    st.sampled_from([1, 2, "1", None, True]),
)
def test_a_plugin_is_taken_whole_or_not_at_all(hook: str, does: str, name: Any, part: Any, version: Any) -> None:
    host = Plugins()
    before = {kind: dict(parts.origin) for kind, parts in host.parts.items()}
    module = types.ModuleType("stranger")
    module.SANDBOX_HOOKS = version  # pyright: ignore[reportAttributeAccessIssue]
    setattr(module, hook, hook_of(does, name, part))
    try:
        plugin = host.use(module)
    except PluginError as error:
        refusal = str(error)
    else:
        added = {n: o for kind, parts in host.parts.items() for n, o in parts.origin.items() if n not in before[kind]}
        assert added == ({name: "stranger"} if does == "registers" else {})
        assert (plugin.state, version) == ("loaded", 1)
        assert does not in ("raises", "exits")
        return
    assert "'stranger'" in refusal
    assert {kind: dict(parts.origin) for kind, parts in host.parts.items()} == before
    assert not host.manager.is_registered(module)
