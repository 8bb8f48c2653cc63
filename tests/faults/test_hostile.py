"""Hostile expressions, paths and files, written by hand: all refused, quickly, by name, and nothing is evaluated."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sandbox.errors import LawError, NetworkError, SandboxError
from sandbox.physics import memory
from sandbox.physics.graphs import files
from sandbox.physics.laws.law import EdgeLaw
from tests.faults.malformed import Report, attempt, prepare, watch

SECONDS = 5.0
"""In which a refusal must come; most take milliseconds."""

EXPRESSIONS = {
    # Python that is not arithmetic.
    "attribute": "k*r.__class__",
    "import": "__import__('os').system('touch canary')",
    "builtins": "__builtins__['eval']('1')",
    "call of a call": "sqrt(r)(k)",
    "method": "r.diff(k)",
    "format string": "f'{r.__class__}'",
    "string": "'k*r'",
    "bytes": "b'k'*r",
    "lambda": "(lambda: k*r)()",
    "comprehension": "sum(k*r for _ in (1, 2))",
    "walrus": "(r := k)",
    "subscript": "k*r[0]",
    "dict": "{'k': r}",
    "star": "max(*r)",
    "keyword": "sqrt(x=r)",
    "conditional": "k if r else 0",
    "comparison": "k*(r > 1)",
    "shift": "r << 10000000000",
    "matrix product": "k @ r",
    "floor division": "k*r // 1",
    "remainder": "k*r % 2",
    "semicolon": "k*r; import os",
    "backslash": "k*\\\nr",
    "comment": "k*r # harmless?",
    "assignment": "r = k",
    "ellipsis": "k*r*...",
    "complex": "k*r*1j",
    "decorator": "@k\nr",
    "await": "await k*r",
    "print": "print(k*r)",
    "eval": "eval('k*r')",
    "open": "open('canary', 'w')",
    "sympify": "sympify('k*r')",
    "Symbol": "Symbol('r')*k",
    "Lambda": "Lambda(r, k)",
    "dunder": "__debug__*k*r",
    # Unicode in disguise.
    "full-width name": "\uff4b*r",
    "mathematical italic": "\U0001d458*r",
    "ligature": "\ufb01*k*r",
    "superscript": "k*r\u00b2",
    "Arabic digits": "k*r*\u0661\u0662",
    "division sign": "k*r\u00f72",
    "minus sign": "k\u2212r",
    "zero-width space": "k\u200b*r",
    "right to left": "k*\u202er",
    "null": "k*r\0",
    "escape": "k*r\x1b[2J",
    "surrogate": "k*r\ud800",
    # Numbers.
    "tower": "k*r*9**9**9",
    "tower of floats": "k*r*9.0**9.0**9.0**9.0",
    "exponentials": "k*r*exp(exp(exp(exp(9))))",
    "exponent tower": "k*r**exp(exp(exp(9)))",
    "comparing towers": "k*max(exp(exp(exp(exp(9)))), r)",
    "huge exponent": "k*r**1000000",
    "negative exponent": "k*r**-1000",
    "powers of powers": "k*((r**64)**64)**64",
    "products of powers": "k*r**60*r**60",
    "factorial by hand": "k*r*" + "*".join("999999999999999" for _ in range(60)),
    "huge whole number": "k*r*" + "9" * 30,
    "digits without end": "k*r*" + "9" * 1900,
    "infinite": "k*r*1e999",
    "hidden infinite": "k*r/1e999",
    "tiny": "k*r*1e-200*1e-200",
    "not a number": "k*r*(1e308*1e308 - 1e308*1e308)",
    "nan": "nan*k*r",
    "divided by zero": "k*r/(1 - 1)",
    "log of zero": "k*r*log(0)",
    "root of minus one": "k*r*sqrt(0 - 1)",
    "imaginary power": "k*r*(0 - 8)**0.5",
    # Size and depth.
    "too long": "k*r" + " + k*r" * 400,
    "parentheses": "(" * 900 + "k*r" + ")" * 900,
    "open parentheses": "(" * 1999,
    "minuses": "-" * 1500 + "k*r",
    "nested functions": "k*" + "tanh(" * 60 + "r" + ")" * 60,
    "nested powers": "k*" + "(" * 40 + "r" + "**2 + 1)" * 40,
    "tower of variables": "k*" + "**".join("r" for _ in range(60)),
    "many terms": "+".join(f"sin({n}*r)*k" for n in range(150)),
    "many corners": "k*" + "+".join(f"abs(r - {n})" for n in range(40)),
    "nested corners": "k*" + "max(r, " * 13 + "k" + ")" * 13,
    "eleven arguments": "k*max(" + ", ".join(f"r*{n}" for n in range(11)) + ")",
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    began, hook = time.process_time(), watch()
    hook.seen.clear()
    hook.allowed = ()
    try:
        with pytest.raises(LawError, match=r"energy expression|depends on neither"):
            EdgeLaw(EXPRESSIONS[name], ("k",)).terms  # noqa: B018
    finally:
        hook.allowed = None
    assert time.process_time() - began < SECONDS
    assert hook.seen == []
    assert list(tmp_path.iterdir()) == []


PRODUCT = "k*" + "*".join(f"tanh(sin({n}*r)*exp(-{n}*r))" for n in range(1, 25))


def test_derivatives_that_grow_are_refused() -> None:
    law = EdgeLaw(PRODUCT, ("k",))
    with pytest.raises(LawError, match="a derivative of the energy expression"):
        law.terms  # noqa: B018


def test_what_is_allowed_is_quick() -> None:
    began = time.process_time()
    for text in (
        "k*" + "tanh(" * 11 + "r" + ")" * 11,
        "k*" + "+".join(f"max(r*k**{i} - 1, r**{i} - k, sin(r*{i + 1}))" for i in range(4)),
        "k*sqrt(" + "+".join(f"sqrt(r*r + {i})" for i in range(1, 40)) + ")",
        "k*r**r**r**r",
        "1000000000000*k*r**2",
    ):
        law = EdgeLaw(text, ("k",))
        assert len(law.terms) == 6
    assert time.process_time() - began < SECONDS


SCENE = (
    '[network]\ntype = "file"\npath = {path}\n[system]\ntype = "flow_network"\n'
    "[[clamp]]\nnodes = [0]\nvalue = 0.0\n[[clamp]]\nnodes = [1]\nvalue = 1.0\n[relax]\n"
)

PATHS = {
    "absolute": "/etc/passwd",
    "absolute, two slashes": "//etc/passwd",
    "parent": "../outside.txt",
    "parent, further in": "folder/../../outside.txt",
    "parent, Windows": "..\\\\outside.txt",
    "parent of here": "..",
    "drive": "\\\\\\\\server\\\\share",
    "home": "~/net.txt",
    "home of root": "~root/net.txt",
    "link to a file outside": "leads_out",
    "link to a folder outside": "folder_out/passwd",
    "link in a circle": "circle",
    "link to nowhere": "dangling",
    "link through a link": "second",
    "device": "/dev/zero",
    "device by a link": "device",
    "process memory": "/proc/self/mem",
    "pipe": "pipe",
    "folder": "folder",
    "empty": "",
    "dot": ".",
    "null": "net\\u0000.txt",
    "too long": "n" * 5000,
    "too deep": "n/" * 3000,
    "URL": "http://localhost/net.txt",
    "file URL": "file:///etc/passwd",
    "missing": "none.txt",
    "archive": "bomb.zip",
    "pickle": "evil.npz",
    "pickle as text": "evil.txt",
    "huge, of holes": "holes.txt",
    "XML entities": "laughs.graphml",
    "XML outside entity": "outside.graphml",
    "XML in UTF-16 with entities": "wide.graphml",
    "XML nested": "nested.graphml",
    "XML of an unknown encoding": "encoding.graphml",
}

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + ']><graphml><graph edgedefault="undirected"><node id="&j;"/></graph></graphml>'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pickle
    import zipfile

    home = tmp_path_factory.mktemp("hostile")
    (home / "outside.txt").write_text("node a 0 0\nnode b 1 0\nedge a b\n")
    here = home / "here"
    here.mkdir()
    prepare(here)
    for name, goal in {
        "folder_out": "/etc",
        "circle": "circle",
        "dangling": "nowhere",
        "second": "leads_out",
        "device": "/dev/zero",
    }.items():
        (here / name).symlink_to(goal)
    os.mkfifo(here / "pipe")
    with zipfile.ZipFile(here / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("net.txt", "node a 0 0\n" * 2_000_000)

    class Evil:
        def __reduce__(self):
            return os.mkdir, ("canary",)

    for name in ("evil.npz", "evil.txt"):
        (here / name).write_bytes(pickle.dumps(Evil()))
    with (here / "holes.txt").open("wb") as file:
        file.truncate(files.MAX_BYTES + 1)
    (here / "laughs.graphml").write_text(LAUGHS)
    (here / "outside.graphml").write_text(
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><graphml>&e;</graphml>'
    )
    (here / "wide.graphml").write_bytes(LAUGHS.replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"))
    (here / "nested.graphml").write_text("<graphml>" + "<a>" * 300_000 + "</a>" * 300_000 + "</graphml>")
    (here / "encoding.graphml").write_text('<?xml version="1.0" encoding="klingon"?><graphml/>')
    return here


@pytest.mark.parametrize("name", PATHS)
def test_paths(name: str, folder: Path) -> None:
    report = Report()
    began = time.process_time()
    said = attempt(SCENE.replace("{path}", f'"{PATHS[name]}"'), folder, report)
    assert report.failures == []
    assert report.outcomes == {"refused": 1}, said
    assert "error: network" in said
    assert "root:" not in said  # of /etc/passwd
    assert time.process_time() - began < 3 * SECONDS
    assert not (folder / "canary").exists()


SIZES = {
    "lattice": 'type = "triangular"\nshape = [1000000, 1000000]',
    "lattice beyond integers": 'type = "square"\nshape = [9223372036854775807, 9223372036854775807]',
    "cube": 'type = "fcc"\nshape = [10000, 10000, 10000]',
    "random": 'type = "random_graph"\nnodes = 1000000000000\nedges = 2000000000000',
    "edges": 'type = "random_graph"\nnodes = 1000000\nedges = 499999500000',
    "geometric": 'type = "random_geometric"\nnodes = 1000000000000\ncoordination = 4.0',
    "coordination": 'type = "random_geometric"\nnodes = 900000\ncoordination = 800000.0',
    "grid": 'type = "jittered_grid"\nside = 1000000',
    "packing": 'type = "packing"\nnodes = 1000000000000',
    "layers": 'type = "layered"\nlayers = [1000000000000, 2]',
    "weights": 'type = "layered"\nlayers = [1000000, 1000000]',
    "not a number": 'type = "triangular"\nshape = [nan, 4]',
    "infinite": 'type = "triangular"\nshape = [inf, 4]',
    "a fraction": 'type = "triangular"\nshape = [4.5, 4]',
    "spacing not a number": 'type = "triangular"\nshape = [4, 4]\nspacing = nan',
    "spacing infinite": 'type = "triangular"\nshape = [4, 4]\nspacing = inf',
    "spacing beyond numbers": 'type = "triangular"\nshape = [4, 4]\nspacing = 1e308',
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str, folder: Path) -> None:
    kind = "hopfield" if "layer" in SIZES[name] else "spring_lattice"
    clamps = "[[clamp]]\nnodes = [0]\n[[clamp]]\nnodes = [1]\n"
    text = f'[network]\n{SIZES[name]}\n[system]\ntype = "{kind}"\n{clamps}[relax]\n'
    report, began = Report(), time.process_time()
    said = attempt(text, folder, report)
    assert report.failures == []
    assert report.outcomes == {"refused": 1}, said
    assert "network" in said or "layers" in said or "system" in said
    assert time.process_time() - began < SECONDS


def test_the_estimate_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.physics.graphs import triangular

    monkeypatch.setattr(memory, "available", lambda: 10_000_000)
    with pytest.raises(NetworkError, match=r"a network of 20,000 nodes and 60,000 edges would take about 0 GB"):
        triangular((100, 100))
    assert triangular((10, 10)).n_nodes == 200


TEXTS = {
    "dotted without end": "a." * 400_000 + "a = 1",
    "dotted with quotes": '"a" . ' * 150_000 + "a = 1",
    "tables in tables": "".join(f"[{'a.' * 300}b{n}]\n" for n in range(1000)),
    "arrays in arrays": "a = " + "[" * 100_000 + "]" * 100_000,
    "inline tables": "a = " + "{a = " * 5000 + "1" + "}" * 5000,
    "a hundred thousand mistakes": "".join(f"[a{n}]\n" for n in range(100_000)),
    "digits": "seed = " + "9" * 5000,
    "long key": "a" * 900_000,
    "quotes": '"' * 900_000,
    "null in the title": 'title = "a\\u0000b"\n',
    "escape in a key": '"\\u001b[2J" = 1\n',
    "bell in a type": '[network]\ntype = "\\u0007"\n',
    "date as a seed": "seed = 1979-05-27T07:32:00Z\n",
    "name that leads elsewhere": 'name = "../../evil"\n',
    "name that is a path": 'name = "/tmp/evil"\n',
    "not UTF-8": b"title = '\xff\xfe'\n",
    "UTF-16": "seed = 1\n".encode("utf-16"),
    "byte order mark and nothing": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str, folder: Path) -> None:
    report, began = Report(), time.process_time()
    said = attempt(TEXTS[name], folder, report)
    assert report.failures == []
    assert report.outcomes == {"refused": 1}, said[-300:]
    assert time.process_time() - began < SECONDS
    assert len(said) < 20_000


def test_there_are_enough() -> None:
    assert len(EXPRESSIONS) + len(PATHS) + len(SIZES) + len(TEXTS) >= 60


def test_python_reads_what_scenes_may_not(folder: Path) -> None:
    """The fence is around scenes; a program names any file it likes."""
    assert files.read_network(folder.parent / "outside.txt").n_nodes == 2
    with pytest.raises(SandboxError, match="leads out"):
        files.inside("../outside.txt", folder)
    assert files.inside("net.txt", folder) == (folder / "net.txt").resolve()
