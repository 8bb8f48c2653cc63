"""Run folders changed by somebody who knows their form, checksums made to fit: resumed, opened and shown.

What may come of it is a clean error or a run: nothing executed, nothing written elsewhere, no hang. Whether the numbers
of such a run are right nobody can tell: a checksum finds accidents, and is no signature.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import sandbox
from sandbox import manifest
from sandbox.checkpoints import FORMAT, Checkpoints
from sandbox.files import digest
from sandbox.plain import pack

from .damage import interrupted
from .malformed import Report, watched
from .scene_generator import scene

Change = Callable[[Path, random.Random], str]
"""Changes a run folder in place, and says how."""

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, -(2**31), 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "..", "../canary", "/etc/passwd", "\x1b[2J", "\ud800", "a" * 10_000, "1", "nan", [], {}, [[[[]]]],
    {"__kind__": "array"}, {"__kind__": "object", "name": "os.system"}, {"__kind__": "tuple", "items": 3},
    ["x"], {"x": 1},
)  # fmt: skip

ARRAYS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda a: a[:0],
    lambda a: a[:-1] if a.ndim else a,
    lambda a: np.concatenate([a, a]) if a.ndim else np.stack([a, a]),
    lambda a: a[None],
    lambda a: a.ravel(),
    lambda a: np.array(0.0),
    lambda a: np.full_like(a, -1),
    lambda a: np.full(a.shape, np.nan),
    lambda a: np.full(a.shape, np.inf),
    lambda a: np.full(a.shape, 1e300),
    lambda a: np.full(a.shape, 1j),
    lambda a: np.full(a.shape, "x"),
    lambda a: a.astype(np.float16),
    lambda a: a.astype(np.int8),
    lambda a: a.astype(bool),
    lambda a: np.zeros((0, 2**40)),
)


def sources(folder: Path) -> list[Path]:
    """Runs to change: complete ones and interrupted ones, of all three kinds that a scene can do."""
    learnt = sandbox.load("iris_flow", training={"epochs": 3}).run(folder / "complete").folder
    learning = interrupted(folder / "learning", training={"epochs": 4})
    noisy = {"imperfections": {"reading_noise": 0.01}}
    batches = interrupted(folder / "batches", training={"epochs": 4, "batch": 20}, bench=noisy)
    moving = interrupted(folder / "moving", "lattice_vibration", 2, dynamics={"steps": 500})
    relaxed = sandbox.load("pipe_network").run(folder / "relaxed").folder
    return [learnt, learning, batches, moving, relaxed]


# Changes: each takes the folder and a generator.


def replace_a_file(run: Path, rng: random.Random) -> str:
    """A file becomes something else that a file system knows."""
    victim = rng.choice(sorted(p for p in run.rglob("*")))
    kind = rng.choice(["gone", "empty", "folder", "pipe", "link", "dangling", "circle", "zeros", "noise", "another"])
    others = [p for p in run.rglob("*") if p.is_file() and p != victim]
    other = rng.choice(others).read_bytes()
    _remove(victim)
    outside = run.parent / "canary"
    match kind:
        case "empty":
            victim.touch()
        case "folder":
            victim.mkdir()
        case "pipe":
            os.mkfifo(victim)
        case "link":
            victim.symlink_to(outside / ("file" if victim.suffix else ""))
        case "dangling":
            victim.symlink_to(run.parent / "nowhere")
        case "circle":
            victim.symlink_to(victim.name)
        case "zeros":
            victim.symlink_to("/dev/zero")
        case "noise":
            victim.write_bytes(rng.randbytes(rng.choice([1, 100, 10_000])))
        case "another":
            victim.write_bytes(other)
    return f"{victim.relative_to(run)}: {kind}"


def add_a_file(run: Path, rng: random.Random) -> str:
    """Something that leads out of the folder, where the sandbox is about to write."""
    numbers = [f"checkpoints/{n:06d}.{end}" for n in (0, 3, 4, 999_999, 10**9) for end in ("npz", "json")]
    names = [
        ".lock", ".scene.toml.partial", ".manifest.json.partial", ".data.nc.partial", ".summary.json.partial",
        "data.nc", "summary.json", "network.png", ".network.png.partial", "checkpoints/.000003.npz.partial", *numbers,
    ]  # fmt: skip
    name = rng.choice(names)
    place = run / name
    if not place.parent.is_dir():
        place.parent.mkdir()
    _remove(place)
    outside = run.parent / "canary"
    what = rng.choice(["link", "folder link", "folder", "pipe"])
    if what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    else:
        place.symlink_to(outside / "file" if what == "link" else outside)
    return f"{name} added: {what}"


def link_the_checkpoints(run: Path, rng: random.Random) -> str:
    """The checkpoints lie elsewhere."""
    folder = run / "checkpoints"
    goal = run.parent / "canary"
    if folder.is_dir():
        for path in folder.iterdir():
            path.rename(goal / path.name)
        folder.rmdir()
    folder.symlink_to(goal)
    return "checkpoints are a link"


def change_json(run: Path, rng: random.Random) -> str:
    """A value in a JSON file is another, and all checksums fit."""
    name = rng.choice(["manifest.json", "manifest.json", "provenance.json", "summary.json"])
    path = run / name
    if not path.is_file():
        path = run / "manifest.json"
    body = json.loads(path.read_text())
    body, said = _spoilt(body, rng)
    if path.name == "manifest.json" and isinstance(body, dict):
        body.pop("sha256", None)
        body["sha256"] = manifest._own(json.loads(json.dumps(body)))
    path.write_text(json.dumps(body))
    if path.name != "manifest.json":
        sign(run)
    return f"{path.name}{said}"


def change_scene(run: Path, rng: random.Random) -> str:
    """The scene is another, or odd, and the checksum fits."""
    text = scene(rng)
    (run / "scene.toml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    sign(run)
    return f"scene.toml: {text[:200]!r}"


def change_data(run: Path, rng: random.Random) -> str:
    """The data are others, and the checksum fits."""
    import h5py

    path = run / "data.nc"
    if not path.is_file():
        return change_checkpoint(run, rng)
    kind = rng.choice(["events", "drop", "type", "shape", "attributes", "link", "text", "nothing"])
    if kind in ("text", "nothing"):
        path.write_text("time,force\n0,1\n" if kind == "text" else "")
    else:
        with h5py.File(path, "r+") as file:
            name = rng.choice(sorted(file))
            if kind == "events":
                file.attrs["events"] = rng.choice(["", "{", "[]", '{"events": 3}', '{"counts": {"x": "y"}}'])
            elif kind == "drop":
                del file[name]
            elif kind == "link":
                del file[name]
                file[name] = h5py.ExternalLink("/etc/passwd", "/x")
            elif kind == "attributes":
                for key in list(file.attrs):
                    del file.attrs[key]
                file.attrs["title"] = rng.choice([0.5, "\x1b[2J[/red]", np.zeros(3)])
            else:
                shape = (2, 3) if kind == "shape" else (5,)
                del file[name]
                file[name] = np.zeros(shape) if kind == "shape" else np.full(shape, "x", dtype="S1")
    sign(run)
    return f"data.nc: {kind}"


def change_checkpoint(run: Path, rng: random.Random) -> str:
    """A value or an array in the newest checkpoint is another, and its checksum fits."""
    checkpoints = Checkpoints(run)
    state = checkpoints.load()[0]
    if state is None:
        return change_json(run, rng)
    state, said = _spoilt(state, rng)
    newest = checkpoints._files(checkpoints._numbers()[-1])
    text, arrays = json.dumps(None), {}
    try:
        text, arrays = pack(state)
    except Exception:
        text = json.dumps(state, default=str)
    with newest[0].open("wb") as file:
        np.savez(file, tree=np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8), **arrays)
    return f"checkpoint{said}{_note(newest)}"


def change_archive(run: Path, rng: random.Random) -> str:
    """The archive of a checkpoint is a trap, and its checksum fits."""
    checkpoints = Checkpoints(run)
    if not checkpoints:
        return change_json(run, rng)
    newest = checkpoints._files(checkpoints._numbers()[-1])
    with zipfile.ZipFile(newest[0]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    kind = rng.choice(["bomb", "promise", "pickle", "outside", "nested", "twice", "not an archive", "an array", "deep"])
    victim = rng.choice(sorted(members))
    if kind == "bomb":
        members[victim] = members[victim][:128] + bytes(50_000_000)
    elif kind == "promise":  # an array that is larger than any memory
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**20, 2**10)}
        )
        members[victim] = header.getvalue()
    elif kind == "pickle":
        stream = io.BytesIO()
        np.save(stream, np.array([Evil(str(run.parent / "canary" / "sung"))], dtype=object), allow_pickle=True)
        members[victim] = stream.getvalue()
    elif kind == "outside":
        members["../../canary/sung.npy"] = members[victim]
        members["/tmp/sung.npy"] = members[victim]
    elif kind == "nested":
        members[victim] = newest[0].read_bytes()
    elif kind == "deep":
        text = "[" * 100_000 + "]" * 100_000
        stream = io.BytesIO()
        np.save(stream, np.frombuffer(text.encode(), dtype=np.uint8))
        members["tree.npy"] = stream.getvalue()
    with zipfile.ZipFile(newest[0], "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if kind == "an array":
        with newest[0].open("wb") as file:
            np.save(file, np.arange(3))
    elif kind == "not an archive":
        newest[0].write_bytes(rng.randbytes(1000))
    return f"archive of a checkpoint: {kind}{_note(newest)}"


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


CHANGES: tuple[Change, ...] = (
    change_checkpoint,
    change_checkpoint,
    change_checkpoint,
    change_archive,
    change_json,
    change_json,
    change_scene,
    change_data,
    replace_a_file,
    add_a_file,
    link_the_checkpoints,
)


def sign(run: Path) -> None:
    """Make the manifest fit the files."""
    found = manifest.read(run)
    if found is not None:
        manifest.write(run, found.stage, [n for n in found.files if (run / n).is_file()], found)


def _note(files: tuple[Path, Path]) -> str:
    files[1].write_text(json.dumps({"format": FORMAT, "sha256": digest(files[0])}))
    return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _spoilt(value: Any, rng: random.Random, path: str = "") -> tuple[Any, str]:
    """The value with one of its parts replaced, dropped or, an array, changed."""
    if isinstance(value, dict) and value and rng.random() < 0.97:
        key = rng.choice(sorted(value, key=str))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}, f"{path}[{key!r}] dropped"
        part, said = _spoilt(value[key], rng, f"{path}[{key!r}]")
        return {**value, key: part}, said
    if isinstance(value, (list, tuple)) and value and rng.random() < 0.8:
        n = rng.randrange(len(value))
        part, said = _spoilt(value[n], rng, f"{path}[{n}]")
        return type(value)([*value[:n], part, *value[n + 1 :]]), said
    if isinstance(value, np.ndarray) and rng.random() < 0.8:
        n = rng.randrange(len(ARRAYS))
        with np.errstate(all="ignore"):
            try:
                return ARRAYS[n](value), f"{path}: array, change {n}"
            except (TypeError, ValueError):
                return None, f"{path}: None"
    odd = rng.choice(ODD)
    return odd, f"{path}: {str(odd)[:40]!r}"


COMMANDS = (["resume", "out"], ["resume", "out", "--checkpoint-every", "0"], ["view", "out", "--no-open"])


def trial(source: Path, folder: Path, report: Report, rng: random.Random) -> None:
    """Change a copy of a run, and let a command loose on it."""
    canary, run = folder / "canary", folder / "out"
    canary.mkdir()
    (canary / "file").write_text("song")
    shutil.copytree(source, run)
    try:
        change = rng.choice(CHANGES)
        said = f"{source.name}, {change(run, rng)}"
        before = _contents(canary)
        arguments = rng.choice(COMMANDS)
        if change in (change_checkpoint, change_archive):
            arguments = COMMANDS[rng.randrange(2)]
        failures = len(report.failures)
        watched(arguments, f"sandbox {' '.join(arguments)}: {said}", folder, report, "out")
        if _contents(canary) != before and len(report.failures) == failures:
            report.outcomes["failed"] += 1
            report.failures.append(("wrote outside of the run folder", said))
    finally:
        for path in (canary, run):
            shutil.rmtree(path, ignore_errors=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def main(count: int = 1000, seed: int = 0, progress: bool = False, first: int = 0) -> Report:
    """Change so many copies of run folders, from that of number ``first``; see :class:`Report`."""
    report = Report(progress=progress)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary).resolve()
        (place / "sources").mkdir()
        (place / "work").mkdir()
        runs = sources(place / "sources")
        for number in range(first, first + count):
            trial(runs[number % len(runs)], place / "work", report, random.Random(f"{seed} {number}"))
            if progress and number % 50 == 49:
                print(f"{number + 1}: {report}", flush=True)
    return report


if __name__ == "__main__":
    result = main(*(int(a) for a in sys.argv[1:3]), progress=True)
    print(result, result.slowest_scene)
    sys.exit(bool(result.failures))
