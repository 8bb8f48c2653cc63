"""Pictures show what they are given: counted, measured and read back from the artists."""

from __future__ import annotations

import io
import pickle
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import imageio_ffmpeg
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from PIL import Image

from sandbox.errors import SandboxError
from sandbox.physics.network import Network
from sandbox.plot import (
    Snapshot,
    animate,
    before_after,
    draw_chains,
    draw_curves,
    draw_deformation,
    draw_network,
    learning_curves,
)
from sandbox.plot.geometry import bond_lines, fineness
from sandbox.plot.scales import THINNEST, ColourScale, WidthScale
from sandbox.plot.style import DIVERGING, MISSING, role_styles, style


def lattice(side: int, dimension: int, periodic: bool = False) -> Network:
    """A chain, square or cubic lattice."""
    places = np.stack(np.meshgrid(*[np.arange(side)] * dimension, indexing="ij"), -1).reshape(-1, dimension)
    number = np.arange(side**dimension).reshape((side,) * dimension)
    edges, shifts = [], []
    for axis in range(dimension):
        last = places[:, axis] == side - 1
        keep = np.ones(len(places), dtype=bool) if periodic else ~last
        edges.append(np.column_stack([number.ravel(), np.roll(number, -1, axis).ravel()])[keep])
        shift = np.zeros((len(places), dimension))
        shift[last, axis] = side
        shifts.append(shift[keep])
    cell = side * np.eye(dimension) if periodic else None
    return Network(places.astype(float), np.concatenate(edges), np.concatenate(shifts), cell)


def line_sets(figure: Figure, axis: int = 0) -> list[LineCollection]:
    """The bonds of a drawing: one collection, or in space one for each layer that has some."""
    return [c for c in figure.axes[axis].collections if isinstance(c, LineCollection) and c.get_visible()]


def lines_of(figure: Figure, axis: int = 0) -> LineCollection:
    """The bonds of a drawing in the plane."""
    return line_sets(figure, axis)[0]


def count_lines(figure: Figure, axis: int = 0) -> int:
    return sum(
        len(lines._segments3d) if isinstance(lines, Line3DCollection) else len(lines.get_segments())
        for lines in line_sets(figure, axis)
    )


def widest(figure: Figure, axis: int = 0) -> float:
    return max(float(np.max(lines.get_linewidth())) for lines in line_sets(figure, axis))


def marks_of(figure: Figure, axis: int = 0) -> list[PathCollection]:
    return [c for c in figure.axes[axis].collections if isinstance(c, PathCollection) and c.get_visible()]


def words(figure: Figure) -> list[str]:
    """All entries of all legends."""
    return [text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()]


def bars(figure: Figure) -> list:
    """Axes of colour bars."""
    return [child for ax in figure.axes for child in ax.child_axes]


def bar_label(figure: Figure) -> str:
    (bar,) = bars(figure)
    return bar.get_ylabel() or bar.get_xlabel()


def render(figure: Figure) -> np.ndarray:
    """Pixels of the picture, (height, width, 3)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.fixture(autouse=True)
def _leaves_no_trace():
    before = dict(mpl.rcParams)
    yield
    assert Gcf.get_num_fig_managers() == 0
    assert dict(mpl.rcParams) == before


def test_import_without_pyplot():
    code = "import sys, sandbox; assert 'matplotlib' not in sys.modules; import sandbox.plot; "
    code += "assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_network_is_drawn_whole(dimension: int, periodic: bool):
    network = lattice(4, dimension, periodic)
    roles = {"input": [0], "output": np.arange(network.n_nodes) == 3}
    figure = draw_network(
        network,
        state=np.arange(network.n_nodes),
        state_label="potential (V)",
        stiffness=np.arange(1, network.n_edges + 1),
        stiffness_label="conductance (S)",
        roles=roles,
        title="a net",
    )
    across = int((network.shifts != 0).any(axis=1).sum())
    assert count_lines(figure) == network.n_edges + across
    assert across == (4 ** (dimension - 1) * dimension if periodic else 0)
    assert sum(len(m.get_sizes()) for m in marks_of(figure)) == network.n_nodes
    assert bar_label(figure) == "potential (V)"
    assert words(figure)[:3] == ["input", "output", "conductance (S)"]
    assert 1 <= len(words(figure)[3:]) <= 3
    assert figure.axes[0].get_title() == "a net"
    assert (render(figure) < 250).any()


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_stubs_are_half_bonds(dimension: int):
    network = lattice(4, dimension, periodic=True)
    lines, owner = bond_lines(network, network.positions)
    length = np.linalg.norm(lines[:, -1] - lines[:, 0], axis=1)
    stub = (network.shifts != 0).any(axis=1)[owner]
    np.testing.assert_allclose(length[stub], 0.5)
    np.testing.assert_allclose(length[~stub], 1.0)


def test_widths_follow_stiffness():
    network = lattice(4, 2)
    stiffness = np.random.default_rng(0).uniform(0.5, 2.0, network.n_edges)
    widths = np.asarray(lines_of(draw_network(network, stiffness=stiffness)).get_linewidth())
    order = np.argsort(stiffness)
    assert (np.diff(widths[order]) > 0).all()
    np.testing.assert_allclose(widths / widths.max(), stiffness / stiffness.max())


def test_widths_in_space_stay_with_their_bonds():
    network = lattice(3, 3, periodic=True)
    stiffness = np.where(np.arange(network.n_edges) == 5, 2.0, 0.4)
    sets = line_sets(draw_network(network, stiffness=stiffness))
    assert all(isinstance(lines, Line3DCollection) for lines in sets)
    lines = max(sets, key=lambda c: np.max(c.get_linewidth()))
    roots = np.asarray(lines._segments3d)[int(np.argmax(lines.get_linewidth()))]  # type: ignore[attr-defined]
    node = network.positions[network.edges[5, 0]]
    assert (roots == node).all(axis=1).any()


def test_what_is_nearer_hides_what_is_farther():
    """Two crossed bonds, and nodes before and behind them, seen along the line of sight."""
    up, round_ = np.radians([18.0, -62.0])
    sight = np.array([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)])
    right = np.array([-np.sin(round_), np.cos(round_), 0.0])
    ends = np.array([-right, right])
    for side, over in ((1, True), (-1, False)):
        points = np.concatenate([ends, [0.8 * side * sight], 1.5 * np.array([sight, -sight]) + 0.9 * right])
        figure = draw_network(Network(points, [[0, 1], [3, 4]]), state=[0, 0, 1, 0, 0], stiffness=[1, 0.01])
        dots = [
            m
            for m in marks_of(figure)
            if (m.get_facecolor() == ColourScale(np.arange(2.0), label="")(np.ones(1))).all()
        ]
        bond = next(c for c in line_sets(figure) if np.max(c.get_linewidth()) == widest(figure))
        assert len(dots) == 1
        assert (dots[0].get_zorder() > bond.get_zorder()) == over


def test_zero_and_negative_stiffness():
    network = lattice(3, 2)
    stiffness = np.ones(network.n_edges)
    stiffness[:3] = 0, np.nan, -0.5
    figure = draw_network(network, stiffness=stiffness)
    widths, colours = np.asarray(lines_of(figure).get_linewidth()), lines_of(figure).get_color()
    assert widths[0] == widths[1] == THINNEST
    assert len({tuple(colours[e]) for e in (0, 2, 3)}) == 3
    assert words(figure)[-1] == "negative"
    zero = draw_network(network, stiffness=np.zeros(network.n_edges))
    assert words(zero) == ["stiffness", "0"]
    assert set(lines_of(zero).get_linewidth()) == {THINNEST}
    render(zero)


def test_width_examples_lie_in_the_range():
    for least, most in [(0.01, 3.7), (0.9, 1.1), (1e-9, 2e-9), (3, 3), (0, 1e6), (5, 5.2)]:
        examples = WidthScale(least, most, 3.0).examples()
        assert 1 <= len(examples) <= 3
        assert all(least <= x <= most for x in examples)


def test_one_strong_bond_leaves_the_others_their_widths():
    network = lattice(4, 2)
    stiffness = np.ones(network.n_edges)
    stiffness[:2] = 60.0, 30.0
    figure = draw_network(network, stiffness=stiffness)
    widths = np.asarray(lines_of(figure).get_linewidth())
    assert widths[0] == widths[1] == pytest.approx(4 * widths[2])
    assert words(figure)[-1] == "≥ 4"
    stiffness[:2] = 3.0
    assert not words(draw_network(network, stiffness=stiffness))[-1].startswith("≥")


def test_state_is_the_colour_of_its_node():
    network = lattice(3, 2)
    state = np.linspace(-1, 2, 9)
    state[4] = np.nan
    figure = draw_network(network, state=state, signed=True)
    (mark,) = marks_of(figure)
    faces = mark.get_facecolor()
    np.testing.assert_allclose(faces[4], to_rgba(MISSING))
    np.testing.assert_allclose(faces[8], DIVERGING(1.0))
    np.testing.assert_allclose(faces[0], DIVERGING(0.25), atol=0.02)
    assert "no value" in words(figure)
    assert bars(figure)[0].get_ylim() == (-2, 2)


@pytest.mark.parametrize("state", [np.zeros(4), np.full(4, 5.0), 1e9 + np.array([0, 1e-7, 0, 0]), np.full(4, np.nan)])
def test_degenerate_states(state: np.ndarray):
    figure = draw_network(lattice(2, 2), state=state)
    render(figure)
    if np.isnan(state).all():
        assert not bars(figure)
        assert words(figure) == ["no value"]
    else:
        low, high = bars(figure)[0].get_ylim()
        assert low < state.min() <= state.max() < high


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_networks_without_bonds_and_without_extent(dimension: int, nodes: int):
    points = np.zeros((nodes, dimension))
    points[:, 0] = np.arange(nodes)
    figure = draw_network(Network(points, []), state=np.arange(nodes), stiffness=[])
    assert not [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert sum(len(m.get_sizes()) for m in marks_of(figure)) == nodes
    render(figure)
    render(draw_network(Network(points[:, ::-1], [])))  # upright


def test_a_long_bond_of_a_chain_is_an_arc():
    chain = Network(np.arange(5.0)[:, None], [[0, 1], [1, 2], [2, 3], [3, 4], [0, 3]])
    height = [segment[:, 1].max() for segment in lines_of(draw_network(chain)).get_segments()]
    np.testing.assert_array_equal(np.array(height) > 0, [False, False, False, False, True])


def test_large_network_is_quick_and_without_marks():
    network = lattice(141, 2)
    start = time.process_time()  # whatever else the machine is busy with
    figure = draw_network(network, state=network.positions[:, 0], roles={"input": [0, 7]})
    render(figure)
    assert time.process_time() - start < 5
    assert [len(m.get_sizes()) for m in marks_of(figure)] == [2]  # roles alone
    assert count_lines(figure) == network.n_edges
    assert len(np.unique(lines_of(figure).get_color(), axis=0)) > 100  # the bonds carry the state


def test_axes_of_the_user():
    figure = Figure(figsize=(6, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    assert draw_network(lattice(3, 2), state=np.arange(9), roles={"input": [1]}, ax=left) is figure
    assert draw_deformation(lattice(3, 2), lattice(3, 2).positions, ax=right) is figure
    figure.savefig(io.BytesIO())
    with pytest.raises(ValueError, match="projection='3d'"):
        draw_network(lattice(2, 3), ax=left)


def test_keys_stay_within_the_figure_and_off_the_data():
    network = lattice(5, 2)
    roles = {name: [i] for i, name in enumerate(["input", "output", "ground", "clamped", "a probe", "and another"])}
    figure = draw_network(network, state=np.arange(25) - 1e4, stiffness=np.arange(40), roles=roles, title="t")
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    data = figure.axes[0].get_window_extent()
    boxes = [k.get_tightbbox(renderer) for k in (*figure.findobj(Legend), *bars(figure))]
    assert len(boxes) == 3
    for box in boxes:
        assert not box.overlaps(data)
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_roles_differ_in_shape():
    styles = role_styles(["input", "output", "ground", "constant", "clamped", "Input_2", "probe"])
    assert len({s.marker for s in styles.values()}) == 7


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_before_after_share_their_scales(dimension: int):
    network = lattice(3, dimension)
    soft = Snapshot(state=np.zeros(network.n_nodes), stiffness=np.ones(network.n_edges))
    hard = {"state": np.full(network.n_nodes, 4.0), "stiffness": np.full(network.n_edges, 2.0)}
    figure = before_after(network, soft, hard, roles={"input": [0]}, titles=("untrained", "trained"))
    assert [ax.get_title() for ax in figure.axes[:2]] == ["untrained", "trained"]
    assert widest(figure, 1) / widest(figure, 0) == pytest.approx(2)
    first, second = (marks_of(figure, i)[0].get_facecolor()[0] for i in (0, 1))
    scale = ColourScale(np.array([0.0, 4.0]), label="")
    np.testing.assert_allclose([first, second], scale(np.array([0.0, 4.0])))
    assert words(figure).count("input") == 1
    assert words(figure).count("stiffness") == 1
    assert bar_label(figure) == "pressure"
    render(figure)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_deformation(dimension: int, periodic: bool):
    network = lattice(3, dimension, periodic)
    moved = network.positions * 1.1
    strain = network.lengths(moved) / network.lengths() - 1
    figure = draw_deformation(network, moved, strain=strain, scale=3, roles={"clamped": [0]})
    assert words(figure) == ["clamped", "at rest", "deformed (×3)"]
    assert bar_label(figure) == "bond strain"
    render(figure)
    assert count_lines(figure) == 2 * len(bond_lines(network, moved)[0])
    if dimension == 2:
        rest, now = line_sets(figure)
        assert len(rest.get_segments()) == len(now.get_segments()) == len(bond_lines(network, moved)[0])
        np.testing.assert_allclose(now.get_segments()[0][0] - rest.get_segments()[0][0], 0, atol=1e-12)
        far = marks_of(figure)[0].get_offsets()[-1]
        np.testing.assert_allclose(far, network.positions[-1] * 1.3)


def test_strain_is_symmetric_about_zero():
    network = lattice(2, 2)
    figure = draw_deformation(network, network.positions, strain=[0.1, 0, -0.02, np.nan])
    colours = np.asarray(figure.axes[0].collections[-2].get_color())
    np.testing.assert_allclose(colours[:2], [DIVERGING(1.0), DIVERGING(0.5)])
    np.testing.assert_allclose(colours[3], to_rgba(MISSING))
    draw_deformation(network, network.positions, strain=np.zeros(4))


def test_deformation_with_stiffness():
    network = lattice(3, 2)
    stiffness = np.arange(1.0, 13.0)
    figure = draw_deformation(network, network.positions, stiffness=stiffness, stiffness_label="k (N/m)")
    widths = np.asarray(line_sets(figure)[1].get_linewidth())
    np.testing.assert_allclose(widths / widths[-1], stiffness / 12)
    assert "k (N/m)" in words(figure)
    same = draw_deformation(network, network.positions, stiffness=np.ones(12))
    assert words(same) == ["at rest", "deformed"]  # widths that are all alike say nothing


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_force_chains(dimension: int, periodic: bool):
    network = lattice(3, dimension, periodic)
    tension = np.linspace(-1, 2, network.n_edges)
    figure = draw_chains(network, tension, tension_label="tension (N)", roles={"held": [0]}, title="chains")
    assert count_lines(figure) == len(bond_lines(network, network.positions)[0])
    assert bar_label(figure) == "tension (N)"
    assert words(figure) == ["held"]
    render(figure)
    if dimension == 2:
        widths, colours = np.asarray(lines_of(figure).get_linewidth()), np.asarray(lines_of(figure).get_color())
        assert (np.diff(widths) >= 0).all()  # the strongest lie on top
        np.testing.assert_allclose(colours[-1], DIVERGING(1.0))
        size = np.sort(np.abs(tension[bond_lines(network, network.positions)[1]]))
        np.testing.assert_allclose(widths[-3:] / widths[-1], size[-3:] / 2)


def test_force_chains_that_carry_nothing():
    network = lattice(3, 2)
    for tension in (np.zeros(12), np.full(12, np.nan)):
        figure = draw_chains(network, tension)
        assert set(lines_of(figure).get_linewidth()) == {THINNEST}
        render(figure)


def test_crowded_networks_have_finer_lines():
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    few = np.array([(i, (i + 1) % 30) for i in range(30)])
    all_ = np.array([(i, j) for i in range(30) for j in range(i)])
    loose, hairball = (draw_network(Network(points, e), stiffness=np.ones(len(e))) for e in (few, all_))
    assert widest(hairball) < 0.6 * widest(loose)
    assert fineness(lattice(6, 2)) == 1


def test_curves():
    x = np.arange(5)
    figure = draw_curves(x, {"a": x**2, "b": x - 1.0}, xlabel="time (s)", ylabel="energy (J)", log=True, title="c")
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("time (s)", "energy (J)", "log")
    assert words(figure) == ["a", "b"]
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [np.nan, np.nan, 1, 2, 3])
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 2
    render(figure)
    render(draw_curves(x, {"none": np.zeros(5)}, xlabel="", ylabel="", log=True))  # nothing to take the logarithm of
    render(draw_curves([], {"none": []}, xlabel="", ylabel=""))


def test_learning_curves():
    epoch = np.arange(20)
    loss = {"train": np.exp(-epoch), "test": np.exp(-epoch / 2)}
    figure = learning_curves(epoch, loss=loss, accuracy={"test": 1 - 0.5 * loss["test"]})
    left, right = figure.axes
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("epoch", "loss", "accuracy")
    assert sorted(words(figure)) == ["test", "train"]
    assert right.lines[0].get_color() == left.lines[1].get_color()
    assert right.get_ylim()[1] < 1.05
    render(figure)
    assert len(learning_curves(epoch, loss).axes) == 1


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_animation(dimension: int, tmp_path):
    network = lattice(4, dimension, periodic=dimension == 2)
    times = np.linspace(0, 1, 7)
    motion = network.positions + 0.3 * np.sin(6 * times)[:, None, None]
    path = tmp_path / "film.part"  # the suffix is the caller's affair
    speed = np.ones((7, network.n_nodes)) * times[:, None]
    animate(network, times, motion, path, colour=speed, label="speed", fps=10, roles={"input": [0]}, title="film")
    assert [p.name for p in tmp_path.iterdir()] == ["film.part"]
    with Image.open(path) as film:
        assert film.format == "GIF"
        assert film.n_frames == 7
        assert film.info["duration"] == 100
        assert film.info["loop"] == 0
        first = np.asarray(film.convert("RGB"))
        film.seek(6)
        last = np.asarray(film.convert("RGB"))
    assert tuple(first[-1, 0]) == (255, 255, 255)
    assert (first != last).any(axis=2).mean() > 0.005


@pytest.mark.parametrize("dimension", [2, 3])
def test_film_as_mp4(dimension: int, tmp_path):
    network = lattice(3, dimension)
    times = np.linspace(0, 1, 6)
    motion = network.positions + 0.3 * np.sin(6 * times)[:, None, None]
    animate(network, times, motion, tmp_path / "film.mp4", colour=motion[..., 0], fps=12, dpi=80)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", tmp_path / "film.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    told = re.search(r"Video: h264.* (\d+)x(\d+)[, ].* 12 fps", done.stderr.decode())
    assert told is not None
    wide, high = int(told[1]), int(told[2])
    assert not wide % 2
    assert not high % 2
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, high, wide, 3)
    assert len(pictures) == 6
    assert (pictures[0][0] > 240).all()
    assert (np.abs(pictures[0].astype(int) - pictures[2]) > 30).any(axis=2).mean() > 0.005
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def test_film_of_stiffnesses(tmp_path):
    network = lattice(3, 2)
    stiffness = np.stack([np.ones(12), np.full(12, 3.0)])
    path = tmp_path / "film.gif"
    animate(network, [0, 1], None, path, stiffness=stiffness, stiffness_label="k", time_label="epoch")
    with Image.open(path) as film:
        first = np.asarray(film.convert("L"))
        film.seek(1)
        last = np.asarray(film.convert("L"))
    dark = [(picture < 128).sum() for picture in (first, last)]
    assert dark[1] > 1.5 * dark[0]


def test_mp4_without_ffmpeg_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(SandboxError, match=r"pip install 'matter-sandbox\[film\]'"):
        animate(NET, [0], None, tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


def test_frames_at_rest_are_kept(tmp_path):
    network = lattice(2, 2)
    animate(network, [0, 1e-3, 2e-3], np.tile(network.positions, (3, 1, 1)), tmp_path / "still.gif")
    animate(network, [3.0], network.positions[None], tmp_path / "one.gif")
    with Image.open(tmp_path / "still.gif") as film:
        assert film.n_frames == 3
    with Image.open(tmp_path / "one.gif") as film:
        assert film.n_frames == 1


def test_animation_is_quick(tmp_path):
    network = lattice(20, 2)
    times = np.arange(60) / 60
    motion = network.positions + 0.3 * np.sin(6 * times[:, None, None] + network.positions)
    start = time.process_time()  # whatever else the machine is busy with
    animate(network, times, motion, tmp_path / "a.gif", colour=motion[..., 0])
    assert time.process_time() - start < 10


NET = lattice(3, 2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: draw_network(NET, state=np.zeros(8)), r"state has shape \(8,\); expected \(9,\)"),
        (lambda p: draw_network(NET, state=np.zeros((9, 1))), r"state has shape \(9, 1\); expected \(9,\)"),
        (lambda p: draw_network(NET, stiffness=np.zeros(3)), r"stiffness has shape \(3,\); expected \(12,\)"),
        (lambda p: draw_network(NET, positions=np.zeros((9, 3))), r"positions has shape \(9, 3\); expected \(9, 2\)"),
        (lambda p: draw_network(NET, state=["high"] * 9), "state is not an array of numbers"),
        (lambda p: draw_network(NET, roles={"input": [9]}), r"roles\['input'\] names node 9; expected 0 to 8"),
        (lambda p: draw_network(NET, roles={"input": [0.5]}), r"roles\['input'\] has .* expected node indices"),
        (lambda p: draw_network(NET, roles={"input": [True]}), r"mask of shape \(1,\); expected \(9,\)"),
        (lambda p: before_after(NET, {"state": [1]}, {}), r"before.state has shape \(1,\)"),
        (lambda p: before_after(NET, {}, {"pressure": [1]}), "after has pressure; expected state"),
        (lambda p: draw_deformation(NET, np.zeros((2, 2))), r"positions has shape \(2, 2\); expected \(9, 2\)"),
        (lambda p: draw_deformation(NET, NET.positions, reference=[0]), r"reference has shape \(1,\)"),
        (lambda p: draw_deformation(NET, NET.positions, strain=[0]), r"strain has shape \(1,\); expected \(12,\)"),
        (lambda p: draw_curves([1, 2], {"a": [1]}, xlabel="", ylabel=""), r"series\['a'\] has shape \(1,\)"),
        (lambda p: learning_curves([1, 2], {"a": [1]}), r"loss\['a'\] has shape \(1,\); expected \(2,\)"),
        (lambda p: animate(NET, [0, 1], np.zeros((3, 9, 2)), p), r"trajectory has shape .* expected \(2, 9, 2\)"),
        (lambda p: animate(NET, [], np.zeros((0, 9, 2)), p), "at least one frame"),
        (lambda p: animate(NET, [0], np.zeros((1, 9, 2)), p, colour=[1]), r"colour has shape \(1,\)"),
        (lambda p: animate(NET, [0], np.zeros((1, 9, 2)), p, fps=0), "fps is 0"),
        (lambda p: animate(NET, [0], None, p, stiffness=[[1]]), r"stiffness has shape \(1, 1\); expected \(1, 12\)"),
        (lambda p: animate(NET, [0], None, p, kind="avi"), "kind is 'avi'; expected one of 'gif', 'mp4', 'html'"),
        (lambda p: draw_chains(NET, [1]), r"tension has shape \(1,\); expected \(12,\)"),
        (lambda p: draw_deformation(NET, NET.positions, stiffness=[0]), r"stiffness has shape \(1,\)"),
    ],
)
def test_errors_name_the_argument(call, said: str, tmp_path):
    with pytest.raises(ValueError, match=said):
        call(tmp_path / "never.gif")
    assert not list(tmp_path.iterdir())


def test_figures_in_threads_and_notebooks():
    def draw(seed: int) -> bytes:
        return draw_network(NET, state=np.arange(9) * (1 + seed % 2), roles={"input": [0]})._repr_png_()[0]  # type: ignore

    alone = [draw(0), draw(1)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(draw, range(8)))
    assert alone[0].startswith(b"\x89PNG")
    assert together == alone * 4


def test_style_is_put_back_after_an_error():
    def fail() -> None:
        with style():
            assert mpl.rcParams["font.size"] == 8
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert mpl.rcParams["font.size"] != 8


def test_figures_can_be_sent_to_another_process():
    figure = draw_network(NET, state=np.arange(9), stiffness=np.ones(12), roles={"input": [0]}, title="t")
    copy = pickle.loads(pickle.dumps(figure))
    np.testing.assert_array_equal(render(copy), render(figure))
