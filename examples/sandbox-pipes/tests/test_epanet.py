"""Heads and flows against EPANET's own solver, and what is refused."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import wntr
from sandbox_pipes.epanet import read_epanet
from sandbox_pipes.hazen_williams import HazenWilliams
from wntr.epanet.toolkit import ENepanet

import sandbox
from sandbox.errors import NetworkError, SandboxError

EXAMPLE = Path(__file__).parent.parent
TOWN = EXAMPLE / "town.inp"
NET2 = Path(wntr.__file__).parent / "library" / "networks" / "Net2.inp"

# EPANET's cubic foot is 5e-6 too large in liters, heads go with flows to the power 1.852, and results are written in
# single precision.
HEADS, FLOWS = 2e-5, 1e-5

EN_FLOW, EN_HEAD = 8, 10
"""EPANET's numbers for the flow of a link and the head of a node."""


@pytest.mark.parametrize("path", [TOWN, NET2], ids=lambda p: p.stem)
def test_heads_and_flows_are_those_of_epanet(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("network.inp").write_text(path.read_text())
    scene = tmp_path / "scene.toml"
    scene.write_text((EXAMPLE / "example.toml").read_text().replace("town.inp", "network.inp"))
    data = sandbox.load(scene).run(tmp_path / "run", pictures=False).data

    model = wntr.network.WaterNetworkModel("network.inp")
    model.options.time.duration = 0
    model.options.hydraulic.accuracy = 1e-8
    found = wntr.sim.EpanetSimulator(model).run_sim(file_prefix="epanet")
    network = read_epanet(Path("network.inp"))
    heads = found.node["head"].iloc[0][list(network.node_names)].to_numpy()
    flows = found.link["flowrate"].iloc[0][list(network.pipe_names)].to_numpy()

    np.testing.assert_allclose(data["state"].values[:, 0], heads, rtol=0, atol=HEADS * np.ptp(heads))
    # The sandbox's flow is the slope of the content in s_j - s_i; EPANET counts from the first node to the second.
    np.testing.assert_allclose(-data["flow"].values, flows, rtol=0, atol=FLOWS * np.abs(flows).max())


TANK = "T     55         5          0         10 "


def variant(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = TOWN.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "variant.inp"
    path.write_text(text)
    return path


def heads_and_flows(network):
    pipes = HazenWilliams().build(network, np.random.default_rng(0))
    fixed = network.nodes("fixed")
    held = sandbox.Boundary.free(network.n_nodes, 1).clamp(fixed, pipes.rest_state()[fixed])
    rest = pipes.relax(held)
    return rest.state[0, :, 0], -pipes.tension(rest.state)[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            [(TANK, "T     55         5          0         5  ")],
            "T is full at the start, which shuts the pipes P13",
        ),
        ([(TANK, "T     55         5          0         5.0001")], "tank T is full"),
        (
            [(TANK, "T     75         5          5         10 ")],
            "T is empty at the start, which shuts the pipes P13",
        ),
        # What would not fill the full one, nor empty the empty one, stays open.
        ([(TANK, "T     75         5          0         5  ")], None),
        ([(TANK, "T     55         5          5         10 ")], None),
        ([(TANK, "T     55         5          0         6  ")], None),
        ([("10        15        0\n", "5         15        0 * YES\n")], None),  # it may overflow
        ([("LPS", "CMH"), (TANK, "T     55         5          0         5  ")], "tank T is full"),
        ([("[OPTIONS]", "[PATTERNS]\n1 1.5 0.5\nH 1.02 1\n[OPTIONS]"), ("R     70", "R     70 H")], None),
        ([("[OPTIONS]", "[PATTERNS]\n1 2 0.5 0.7\n[OPTIONS]"), ("[TIMES]", "[TIMES]\nPattern Start 1:00")], None),
        ([("[OPTIONS]", "[PATTERNS]\n1 1.5\nQ 1.2\n[DEMANDS]\nJ4 5 Q\nJ4 7\n[OPTIONS]\nDemand Multiplier 0.9")], None),
        ([("[OPTIONS]", "[STATUS]\nP10 Closed\nP12 Open\n[OPTIONS]")], None),
    ],
)
def test_the_start_is_that_of_epanet_itself(tmp_path, changes, said):
    """The file is read by EPANET's own reader, not through what wntr made of it."""
    path = variant(tmp_path, *changes, ("0.001", "1e-8"))
    with pytest.warns(UserWarning, match=said) if said else nullcontext():
        network = read_epanet(path)
    heads, flows = heads_and_flows(network)
    engine = ENepanet()
    engine.ENopen(str(path), str(tmp_path / "report"), str(tmp_path / "binary"))
    engine.ENopenH()
    engine.ENinitH(0)
    engine.ENrunH()
    unit = 1 / 3600 if "CMH" in path.read_text() else 1e-3
    theirs = [engine.ENgetnodevalue(engine.ENgetnodeindex(name), EN_HEAD) for name in network.node_names]
    carried = [engine.ENgetlinkvalue(engine.ENgetlinkindex(name), EN_FLOW) * unit for name in network.pipe_names]
    engine.ENcloseH()
    engine.ENclose()
    np.testing.assert_allclose(heads, theirs, rtol=0, atol=HEADS * np.ptp(theirs))
    np.testing.assert_allclose(flows, carried, rtol=0, atol=FLOWS * np.abs(carried).max())


def test_what_would_lose_all_water_is_refused(tmp_path):
    """Without the reservoir's pipe, the town hangs on a tank that is empty."""
    path = variant(
        tmp_path,
        (TANK, "T     55         5          5         10 "),
        ("350           130        0          Open", "350           130        0          Closed"),
    )
    with pytest.raises(NetworkError, match=r"tank T is empty .* then no water comes to the nodes: J1"):
        read_epanet(path)


def test_some_pipes_of_a_network_of_pipes():
    network = read_epanet(TOWN)
    part = network.keep_edges([3, 0])
    assert part.pipe_names == (network.pipe_names[3], network.pipe_names[0])
    assert part.length.tolist() == network.length[[3, 0]].tolist()
    assert "J8" in part.dry()


def test_closed_pipes_are_left_out_and_nodes_go_by_name():
    network = read_epanet(TOWN)
    assert "P12" not in network.pipe_names
    assert network.n_edges == 12
    assert network.head[network.nodes("R")] == [70.0]
    assert network.head[network.nodes("T")] == [60.0]
    assert network.demand[network.nodes("J4")] == pytest.approx([0.015])
    assert network.diameter[0] == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[OPTIONS]", "[PUMPS]\nU1 J7 J8 POWER 5\n[OPTIONS]", "pumps: U1"),
        ("[OPTIONS]", "[VALVES]\nV1 J7 J8 100 TCV 1 0\n[OPTIONS]", "valves: V1"),
        ("100           90         0          Closed", "100           90         0          CV", "check valves: P12"),
        ("350           130        0", "350           130        2.5", "minor losses: P1"),
        ("[OPTIONS]", "[EMITTERS]\nJ3 0.5\n[OPTIONS]", "emitters: J3"),
        ("[OPTIONS]", "[CONTROLS]\nLINK P2 CLOSED AT TIME 1\n[OPTIONS]", "controls or rules"),
        ("H-W", "D-W", "D-W"),
        ("90         0          Open\nP11", "90         0          Closed\nP11", None),
        ("P1    R      J1     800", "P1    R      J1     0", "length is not above zero in pipes: P1"),
        ("J7    13            6", "J7    13            6\nJ9    10            1", "to the nodes: J9"),
        ("P1    R      J1", "P1    R      X1", "not an EPANET file"),
        ("[OPTIONS]", "[OPTIONS]\nHydraulics USE town.hyd", "HYDRAULICS USE"),
        ("[OPTIONS]", "[OPTIONS]\nDemand Model PDA", "DEMAND MODEL DDA"),
        ("[OPTIONS]", "[PIPES]\nP1 J1 J8 100 100 100 0 Open\n[OPTIONS]", "the link P1 is there twice"),
        ("J8 ", "fixed ", "names of groups: fixed"),
    ],
)
def test_what_is_no_pipe_is_refused_by_name(tmp_path, old, new, told):
    text = TOWN.read_text()
    assert old in text
    path = tmp_path / "other.inp"
    path.write_text(text.replace(old, new))
    if told is None:
        assert "P10" not in read_epanet(path).pipe_names
    else:
        with pytest.raises(NetworkError, match=told):
            read_epanet(path)


def test_a_scene_names_files_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scene = EXAMPLE / "example.toml"
    for path, told in (("../town.inp", "leads out of the folder of the scene"), ("none.inp", "is not a file")):
        with pytest.raises(SandboxError, match=told):
            sandbox.load(scene, network={"type": "epanet", "path": path}).run(tmp_path / "run", pictures=False)
