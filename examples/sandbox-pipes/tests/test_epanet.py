"""Heads and flows against EPANET's own solver, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import wntr
from sandbox_pipes.epanet import read_epanet

import sandbox
from sandbox.errors import NetworkError, SandboxError

EXAMPLE = Path(__file__).parent.parent
TOWN = EXAMPLE / "town.inp"
NET2 = Path(wntr.__file__).parent / "library" / "networks" / "Net2.inp"

# EPANET's cubic foot is 5e-6 too large in liters, heads go with flows to the power 1.852, and results are written in
# single precision.
HEADS, FLOWS = 2e-5, 1e-5


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
    for path, told in (("../town.inp", "leads out of the working directory"), ("none.inp", "is not a file")):
        with pytest.raises(SandboxError, match=told):
            sandbox.load(scene, network={"type": "epanet", "path": path}).run(tmp_path / "run", pictures=False)
