"""Bad input: every mistake ends with status 2, one short message that names what is wrong, and nothing on disk."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MAX_LINES = 24

LATTICE = '[network]\ntype = "triangular"\nshape = [4, 4]\n[system]\ntype = "spring_lattice"\n'
CLAMPS = '[[clamp]]\nnodes = "left"\n[[clamp]]\nnodes = "right"\ndisplacement = [0.1, 0.0]\n'
RELAX = "[relax]\n"
GRAPH = '[network]\ntype = "random_graph"\nnodes = 21\nedges = 60\n'
FLOW = GRAPH + '[system]\ntype = "flow_network"\n'
GROUND = "[[clamp]]\nnodes = [0]\nvalue = 0.0\n[[clamp]]\nnodes = [1]\nvalue = 1.0\n"
LEARN = (
    FLOW
    + '[task]\ntype = "iris"\n[controller]\ntype = "aeqprop"\n[training]\nepochs = 1\n[terminals]\npick = "random"\n'
)
STATICS = LATTICE + CLAMPS + RELAX
MOTION = LATTICE + CLAMPS + "[dynamics]\ntime_step = 0.05\nsteps = 20\n"
FILE = '[network]\ntype = "file"\npath = "net.txt"\n[system]\ntype = "flow_network"\n' + GROUND + RELAX
PLACES = "inputs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\noutputs = [12]"


@dataclass(frozen=True)
class Bad:
    """A scene that must be refused, and what the message must contain."""

    scene: str | bytes
    says: str
    arguments: tuple[str, ...] = ()
    files: dict[str, str | bytes] = field(default_factory=dict)


def change(scene: str, old: str, new: str) -> str:
    assert old in scene
    return scene.replace(old, new)


def system(*lines: str) -> str:
    return change(STATICS, '"spring_lattice"\n', '"spring_lattice"\n' + "\n".join(lines) + "\n")


def network(*lines: str) -> str:
    return change(STATICS, "shape = [4, 4]\n", "shape = [4, 4]\n" + "\n".join(lines) + "\n")


def net(text: str | bytes, says: str) -> Bad:
    return Bad(FILE, says, files={"net.txt": text})


CASES = {
    # Text that is no scene.
    "broken TOML": Bad("[network\n", "not valid TOML"),
    "a key twice": Bad("seed = 1\nseed = 2\n", "not valid TOML"),
    "empty": Bad("", "network: is missing"),
    "huge": Bad("#" * 1_100_000, "at most"),
    "binary": Bad(bytes(range(256)), "not valid TOML"),
    "deeply nested": Bad("a = " + "[" * 5000 + "]" * 5000, "not valid TOML"),
    # Tables and types.
    "network missing": Bad('[system]\ntype = "spring_lattice"\n[relax]\n', "network: is missing"),
    "system missing": Bad('[network]\ntype = "triangular"\nshape = [4, 4]\n[relax]\n', "system: is missing"),
    "network a number": Bad('network = 3\n[system]\ntype = "spring_lattice"\n[relax]\n', "network: a table"),
    "type a number": Bad(change(STATICS, '"triangular"', "3"), "network: a table"),
    "unknown graph": Bad(change(STATICS, "triangular", "triangle"), "did you mean 'triangular'"),
    "unknown system": Bad(change(STATICS, "spring_lattice", "spring_latice"), "did you mean 'spring_lattice'"),
    "unknown task": Bad(change(LEARN, "iris", "irsi"), "did you mean 'iris'"),
    "unknown controller": Bad(change(LEARN, "aeqprop", "aeqprob"), "did you mean 'aeqprop'"),
    "shape a word": Bad(change(STATICS, "[4, 4]", '"four"'), "network.shape: "),
    "shape negative": Bad(change(STATICS, "[4, 4]", "[-4, 4]"), "network: shape[0] is -4"),
    "shape of three": Bad(change(STATICS, "[4, 4]", "[4, 4, 4]"), "network: the shape"),
    "shape enormous": Bad(
        change(STATICS, "[4, 4]", "[1000000, 1000000]"), "network: a network of 2,000,000,000,000 nodes"
    ),
    "nothing to do": Bad(LATTICE + CLAMPS, "training, relax or dynamics"),
    "two things to do": Bad(MOTION + RELAX, "relax and dynamics"),
    "unknown key": Bad(system("stifness = 2"), "system.stifness: there is no such key; did you mean 'stiffness'"),
    "unknown table": Bad("sede = 1\n" + STATICS, "did you mean 'seed'"),
    "training without task": Bad(change(LEARN, '[task]\ntype = "iris"\n', ""), "needs the table task"),
    "dynamics without masses": Bad(FLOW + GROUND + "[dynamics]\ntime_step = 0.1\nsteps = 3\n", "no masses"),
    "name leads elsewhere": Bad('name = "../../evil"\n' + STATICS, "name: "),
    # Seeds.
    "seed negative": Bad("seed = -1\n" + STATICS, "seed: "),
    "seed huge": Bad("seed = 99999999999999999999\n" + STATICS, "seed: "),
    "seed a fraction": Bad("seed = 1.5\n" + STATICS, "seed: "),
    # Groups and nodes.
    "unknown group": Bad(
        change(STATICS, '"left"', '"lfet"'), "clamp[0]: the network has no group 'lfet'; did you mean"
    ),
    "node out of range": Bad(change(STATICS, '"left"', "[0, 99]"), "clamp[0]: there is no node 99"),
    "node negative": Bad(change(STATICS, '"left"', "[-1]"), "clamp[0].nodes[0]: "),
    "node a fraction": Bad(change(STATICS, '"left"', "[1.5]"), "clamp[0].nodes[0]: "),
    "node beyond integers": Bad(change(STATICS, '"left"', "[99999999999999999999999]"), "clamp[0].nodes[0]: "),
    "no nodes": Bad(change(STATICS, '"left"', "[]"), "clamp[0].nodes: "),
    "group out of range": Bad(STATICS + "[groups.g]\nnodes = [99]\n", "group 'g' names node 99"),
    "group two ways": Bad(STATICS + '[groups.g]\nnodes = [9]\nside = "left"\n', "groups.g: give one of"),
    "group without anything": Bad(STATICS + "[groups.g]\n", "groups.g: give one of"),
    "group of wrong dimension": Bad(STATICS + "[groups.g]\ncenter = [0.0, 0.0, 0.0]\nradius = 1\n", "groups.g: center"),
    "group inside out": Bad(STATICS + "[groups.g]\nlower = [1.0, 1.0]\nupper = [0.0, 0.0]\n", "groups.g: lower"),
    "group empty": Bad(
        change(STATICS, '"left"', '"g"') + "[groups.g]\ncenter = [99.0, 0.0]\nradius = 1\n", "group 'g' has no nodes"
    ),
    # Clamps and pushes.
    "value and displacement": Bad(LATTICE + CLAMPS + "value = 1.0\n" + RELAX, "clamp[1]: give value or displacement"),
    "displacement too short": Bad(change(STATICS, "[0.1, 0.0]", "[0.1]"), "clamp[1]: displacement"),
    "displacement nan": Bad(change(STATICS, "[0.1, 0.0]", "[nan, 0.0]"), "clamp[1].displacement[0]: "),
    "displacement inf": Bad(change(STATICS, "[0.1, 0.0]", "[0.0, inf]"), "clamp[1].displacement[1]: "),
    "component out of range": Bad(LATTICE + CLAMPS + "components = [2]\n" + RELAX, "clamp[1]: components [2]"),
    "component twice": Bad(LATTICE + CLAMPS + "components = [0, 0]\n" + RELAX, "clamp[1]: components [0, 0]"),
    "no components": Bad(LATTICE + CLAMPS + "components = []\n" + RELAX, "clamp[1].components: "),
    "force nan": Bad(LATTICE + CLAMPS + "[[push]]\nnodes = [9]\nforce = nan\n" + RELAX, "push[0].force: "),
    "force too long": Bad(LATTICE + CLAMPS + "[[push]]\nnodes = [9]\nforce = [1, 2, 3]\n" + RELAX, "push[0]: force"),
    "value overflows": Bad(FLOW + change(GROUND, "1.0", "1e308") + RELAX, "infinite or NaN"),
    # Parameters.
    "stiffness negative": Bad(system("stiffness = -1.0"), "system.stiffness: "),
    "stiffness nan": Bad(system("stiffness = nan"), "system.stiffness: "),
    "stiffness inf": Bad(system("stiffness = inf"), "system.stiffness: "),
    "stiffness zero": Bad(system("stiffness = 0.0", "minimum = 0.0"), "no edge of nonzero stiffness"),
    "bounds crossed": Bad(system("minimum = 5.0", "maximum = 2.0"), "(5.0, 2.0)"),
    "mass infinite": Bad(system("mass = inf"), "system.mass: "),
    "spread upside down": Bad(system("stiffness = { low = 2.0, high = 1.0 }"), "system.stiffness"),
    "spread infinite": Bad(system("stiffness = { low = 0.0, high = inf }"), "system.stiffness.high: "),
    "spread negative": Bad(
        system('stiffness = { distribution = "lognormal", median = -1.0 }'), "system.stiffness.median"
    ),
    "spread too wide": Bad(system('stiffness = { distribution = "lognormal", sigma = 1e3 }'), "system.stiffness.sigma"),
    "spread unknown": Bad(system('stiffness = { distribution = "normal" }'), "system.stiffness.distribution: "),
    "conductance nan": Bad(FLOW + "conductance = nan\n" + GROUND + RELAX, "system.conductance: "),
    "beta zero": Bad(change(LEARN, '"aeqprop"\n', '"aeqprop"\nbeta = 0.0\n'), "1 mistake(s)\n  controller.beta: "),
    "beta infinite": Bad(change(LEARN, '"aeqprop"\n', '"aeqprop"\nbeta = inf\n'), "controller.beta: "),
    "compliance infinite": Bad(LEARN + "[bench]\ncompliance = inf\n", "bench.compliance: "),
    "no epochs": Bad(change(LEARN, "epochs = 1", "epochs = 0"), "training.epochs: "),
    # Networks that cannot be.
    "hole removes everything": Bad(network("hole = 50.0"), "network: a hole of radius 50"),
    "hole nan": Bad(network("hole = nan"), "network.hole: "),
    "too much dilution": Bad(network("dilution = 0.99"), "network: removing"),
    "too few edges": Bad(change(FLOW, "edges = 60", "edges = 3") + GROUND + RELAX, "network: edges"),
    "too many edges": Bad(change(FLOW, "edges = 60", "edges = 999") + GROUND + RELAX, "network: edges"),
    "too few nodes": Bad(change(change(LEARN, "= 21", "= 6"), "= 60", "= 10"), "the network has 6 nodes"),
    "nothing held, flow": Bad(FLOW + RELAX, "nodes 0, 1, 2"),
    "nothing held, springs": Bad(LATTICE + RELAX, "rigid"),
    "floppy": Bad(
        LATTICE.replace("triangular", "square") + '[[clamp]]\nnodes = "left"\n[[clamp]]\nnodes = "right"\n' + RELAX,
        "node",
    ),
    "file missing": Bad(FILE, "net.txt is not a file"),
    "file path too long": Bad(change(FILE, "net.txt", "n" * 999), "cannot be read"),
    "file path with a zero": Bad(change(FILE, "net.txt", "n\\u0000n"), "network: "),
    "file with a loose end": net("node a 0 0\nedge a b\n", "net.txt, line 2: there is no node 'b'"),
    "file with a wrong word": net("nod a 0 0\n", "net.txt, line 1: 'nod' is unknown"),
    "file with nan": net("node a nan 0\n", "net.txt, line 1: "),
    "file empty": net("", "declares no nodes"),
    "file binary": net(bytes(range(128, 256)), "net.txt, line 1: "),
    "file disconnected": net("node a 0 0\nnode b 1 0\nnode c 0 1\nnode d 1 1\nedge a b\nedge c d\n", "nodes 2, 3"),
    "file without edges": net("node a 0 0\nnode b 1 0\nnode c 2 1\n", "node 2 has no edge"),
    "GraphML malformed": Bad(change(FILE, "net.txt", "net.graphml"), "line 1: not XML", files={"net.graphml": "<x>"}),
    "GraphML bomb": Bad(
        change(FILE, "net.txt", "net.graphml"),
        "DOCTYPE",
        files={"net.graphml": '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "a">]><graphml/>'},
    ),
    # Terminals and tasks.
    "terminals too few": Bad(change(LEARN, 'pick = "random"', "inputs = [0, 1]\noutputs = [2]"), "the task needs 10"),
    "terminals twice": Bad(change(LEARN, 'pick = "random"', 'pick = "random"\ninputs = [0]'), "terminals: give pick"),
    "terminals unknown": Bad(
        change(LEARN, 'pick = "random"', PLACES.replace("12", "99")), "terminals.outputs: there is no node 99"
    ),
    "terminals overlap": Bad(change(LEARN, 'pick = "random"', PLACES.replace("12", "2")), "node 2 is an input too"),
    "terminals of component": Bad(change(LEARN, 'pick = "random"', PLACES + "\ncomponent = 3"), "component 3"),
    "pairs without boundary": Bad(change(LEARN, '"random"', '"boundary pairs"'), "terminals: the network has no group"),
    "task for something else": Bad(
        change(change(LEARN, "iris", "allostery"), 'pick = "random"', "inputs = [[0, 1]]\noutputs = [[2, 3]]"),
        "task: allostery needs",
    ),
    # Relaxation and dynamics.
    "method unknown": Bad(STATICS + 'method = "magic"\n', "'magic'"),
    "tolerance zero": Bad(STATICS + "tolerance = 0.0\n", "relax.tolerance: "),
    "not minimizable": Bad(change(LEARN, '"aeqprop"\n', '"aeqprop"\nbeta = 1e6\n'), "not converged"),
    "time step zero": Bad(change(MOTION, "0.05", "0.0"), "dynamics.time_step: "),
    "time step infinite": Bad(change(MOTION, "0.05", "inf"), "dynamics.time_step: "),
    "time step too long": Bad(change(change(MOTION, "0.05", "50.0"), "20", "2000"), "beyond the stable"),
    "too much to record": Bad(change(MOTION, "steps = 20", "steps = 1000000000"), "GB of memory"),
    "heat without friction": Bad(MOTION + "temperature = 1.0\n", "damping"),
    "strike on nobody": Bad(
        MOTION + '[[dynamics.strike]]\nnodes = "hamer"\nvelocity = [0.0, 1.0]\n', "dynamics.strike[0]: "
    ),
    "strike too short": Bad(MOTION + "[[dynamics.strike]]\nnodes = [9]\nvelocity = [0.0]\n", "dynamics.strike[0]: "),
    "shake a free node": Bad(
        MOTION + "[[dynamics.shake]]\nnodes = [17]\namplitude = 0.1\nfrequency = 1.0\n", "node 17 is driven"
    ),
    "shake sideways": Bad(
        MOTION + '[[dynamics.shake]]\nnodes = "left"\namplitude = 0.1\nfrequency = 1.0\ndirection = [1.0]\n',
        "dynamics.shake[0]: direction",
    ),
    # The command line.
    "set without value": Bad(STATICS, "key=value", ("--set", "seed")),
    "set without key": Bad(STATICS, "key=value", ("--set", "=3")),
    "set into an array": Bad(STATICS, "'clamp' is not a table", ("--set", "clamp.0.nodes=3")),
    "set two lines": Bad(STATICS, "one line", ("--set", "seed=1\nname='x'")),
    "set unknown": Bad(STATICS, "did you mean 'stiffness'", ("--set", "system.stifness=3")),
    "seed no number": Bad(STATICS, "--seed", ("--seed", "one")),
    "option unknown": Bad(STATICS, "--sead", ("--sead", "1")),
    "plugin missing": Bad(STATICS, "no plugin file 'nope.py'", ("--plugin", "nope.py")),
    "plugin broken": Bad(STATICS, "plugin 'p.py' cannot be imported", ("--plugin", "p.py"), {"p.py": "import nowhere"}),
    "plugin not Python": Bad(STATICS, "plugin 'p2.py' cannot be imported", ("--plugin", "p2.py"), {"p2.py": "def :"}),
    "plugin that exits": Bad(STATICS, "SystemExit", ("--plugin", "p3.py"), {"p3.py": "raise SystemExit(0)"}),
}


def given(bad: Bad, folder: Path) -> set[Path]:
    for name, content in {"scene.toml": bad.scene, **bad.files}.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return set(folder.rglob("*"))


def sandbox_run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    from sandbox.cli import main

    monkeypatch.setattr(sys, "argv", ["sandbox", "run", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def new_files(folder: Path, before: set[Path]) -> set[str]:
    return {str(p.relative_to(folder)) for p in set(folder.rglob("*")) - before if "__pycache__" not in p.parts}


@pytest.mark.parametrize("out", [(), ("--out", "deep/out")], ids=["", "out"])
@pytest.mark.parametrize("name", CASES)
def test_refused(
    name: str,
    out: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = CASES[name]
    before = given(bad, tmp_path)
    monkeypatch.chdir(tmp_path)
    status = sandbox_run(monkeypatch, "scene.toml", *bad.arguments, *out)
    printed = capsys.readouterr()
    assert status == 2, printed.err
    assert bad.says in printed.err
    assert "Traceback" not in printed.err
    assert printed.err.count("\n") <= MAX_LINES
    assert "run folder" not in printed.out
    assert new_files(tmp_path, before) == set()


def test_the_scenes_that_are_spoilt_are_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sandbox.cli import main

    monkeypatch.chdir(tmp_path)
    for number, scene in enumerate((STATICS, MOTION, LEARN, FLOW + GROUND + RELAX)):
        Path("scene.toml").write_text(scene)
        monkeypatch.setattr(sys, "argv", ["sandbox", "show", "scene.toml"])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code in (0, None), (number, capsys.readouterr().err)


@pytest.mark.parametrize("what", ["file", "full folder", "below a file"])
def test_out_that_is_taken(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    if what == "full folder":
        taken.mkdir()
        (taken / "precious").write_text("data")
    else:
        taken.write_text("precious")
    before = given(Bad(STATICS, ""), tmp_path)
    monkeypatch.chdir(tmp_path)
    out = taken / "below" if what == "below a file" else taken
    assert sandbox_run(monkeypatch, "scene.toml", "--out", str(out)) == 2
    message = capsys.readouterr().err
    assert "taken" in message
    assert "Traceback" not in message
    assert new_files(tmp_path, before) == set()
    assert (taken / "precious" if what == "full folder" else taken).read_text() in ("data", "precious")


def test_an_empty_out_folder_survives_a_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    before = given(CASES["nothing held, springs"], tmp_path)
    monkeypatch.chdir(tmp_path)
    assert sandbox_run(monkeypatch, "scene.toml", "--out", "out") == 2
    assert out.is_dir()
    assert new_files(tmp_path, before) == set()


@pytest.mark.parametrize("name", ["missing scene", "broken TOML", "nothing held, springs", "time step too long"])
def test_as_a_process(name: str, tmp_path: Path) -> None:
    bad = CASES.get(name, Bad("", "no scene file"))
    before = given(bad, tmp_path)
    scene = "scene.toml" if name in CASES else "none.toml"
    done = subprocess.run(
        [sys.executable, "-c", "from sandbox.cli import main; main()", "run", scene],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert bad.says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= MAX_LINES
    assert new_files(tmp_path, before) == set()
