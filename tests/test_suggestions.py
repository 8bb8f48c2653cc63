"""Hints and lists of names: what they find, and how much work and text they may be."""

from __future__ import annotations

import pytest

import sandbox
from sandbox import suggestions
from sandbox.errors import NetworkError, SceneError
from sandbox.physics.graphs import read_network
from sandbox.suggestions import did_you_mean, listed, nearest


def test_the_nearest_name_is_found_among_few_and_among_many():
    assert nearest("stifness", ["mass", "stiffness"]) == "stiffness"
    assert nearest("q", ["mass", "stiffness"]) is None
    many = [f"pump station {n}" for n in range(20_000)] + ["reservoir"]
    assert nearest("resevoir", many) == "reservoir"
    assert nearest("RESERVOIR", many) == "reservoir"
    assert did_you_mean("resevoir", many) == "did you mean 'reservoir'? "
    assert did_you_mean("zzz", many, " ({!r})") == ""


def test_a_bounded_number_of_names_is_compared(monkeypatch: pytest.MonkeyPatch):
    """The comparison of difflib is 0.1 ms a name: among 400,000 names, half a minute for one hint."""
    compared = []
    original = suggestions.get_close_matches
    monkeypatch.setattr(
        suggestions, "get_close_matches", lambda name, known, n: compared.append(len(known)) or original(name, known, n)
    )
    assert nearest("n399999", [f"n{i}" for i in range(399_999)]) is not None
    assert nearest("x" * 1_000_000, ["a", "b"]) is None
    assert nearest("a", ["a" * 1_000_000, "ab"]) == "ab"
    assert max(compared) <= suggestions.MOST_COMPARED


def test_long_lists_are_cut_and_counted():
    assert listed([]) == "none"
    assert listed(["a", "b"]) == "a, b"
    text = listed(f"group{n}" for n in range(5000))
    assert text.startswith("group0, group1, ")
    assert text.endswith("group19 and 4980 more")
    assert len(listed(["x" * 5000] * 30)) < 1000


def test_errors_about_one_name_of_many_stay_short(tmp_path):
    path = tmp_path / "net.txt"
    lines = [f"node n{i} {i} 0\ngroup g{i} n{i}" for i in range(3000)]
    path.write_text("\n".join([*lines, "edge n1 n2x"]), encoding="utf-8")
    with pytest.raises(NetworkError, match=r"there is no node 'n2x' \(did you mean 'n2") as caught:
        read_network(path)
    assert len(str(caught.value)) < 400
    path.write_text("\n".join([*lines, "edge n1 n2"]), encoding="utf-8")
    network = read_network(path)
    assert len(repr(network)) < 1000
    with pytest.raises(NetworkError, match="no group 'g3000'; did you mean 'g300") as caught:
        network.nodes("g3000")
    assert len(str(caught.value)) < 1000


def test_a_long_list_of_nodes_is_not_repeated_in_the_error(tmp_path):
    scene = tmp_path / "scene.toml"
    scene.write_text(
        '[network]\ntype = "square"\nshape = [3, 3]\n[system]\ntype = "flow_network"\n[relax]\n'
        f"[[clamp]]\nnodes = {list(range(9, 20_000))}\nvalue = 1.0\n"
    )
    with pytest.raises(SceneError, match="there is no node 9; nodes run from 0 to 8") as caught:
        sandbox.load(scene).setup.check()
    assert len(str(caught.value)) < 200
