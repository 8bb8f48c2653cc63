"""MNIST and Fashion-MNIST: what OpenML serves, here 70 images in its real format, and everything that can go wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

import numpy as np
import pytest
from pydantic import ValidationError
from sandbox_tasks import openml
from sandbox_tasks.images import MNIST, FashionMNIST, Images
from sklearn.datasets import load_digits

import sandbox
from sandbox import scene
from sandbox.errors import SandboxError
from sandbox.parts import Site
from sandbox.task import Task

TRAIN, TEST, PIXELS = 60, 10, 784


class Answer(io.BytesIO):
    """What ``urlopen`` returns: bytes, and headers that say they are compressed."""

    def info(self) -> dict[str, str]:
        return {"Content-Encoding": "gzip"}


@dataclass
class Server:
    """Answers as openml.org does for one data set: description, features and qualities in JSON, and an ARFF file.

    Attributes:
        pixels, labels: of the images it serves.
        asked: the addresses that were opened.
        served: the pages, as they were when the description was last asked for.
        trouble: takes an address and its compressed bytes to what is sent instead.
    """

    pixels: np.ndarray
    labels: np.ndarray
    data_id: int = 554
    asked: list[str] = field(default_factory=list)
    served: dict[str, bytes] = field(default_factory=dict)
    trouble: Callable[[str, bytes], bytes] = lambda url, content: content

    def arff(self) -> bytes:
        columns = self.pixels.shape[1]
        lines = ["% images", "@RELATION mnist_784", *(f"@ATTRIBUTE pixel{i + 1} real" for i in range(columns))]
        lines += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "", "@DATA"]
        rows = (",".join(map(str, [*row, label])) for row, label in zip(self.pixels, self.labels, strict=True))
        return "\n".join([*lines, *rows, ""]).encode()

    def pages(self) -> dict[str, bytes]:
        columns = self.pixels.shape[1]
        arff, site = self.arff(), "https://www.openml.org"
        api, file = f"{site}/api/v1/json/data", f"{site}/data/v1/download/52667/mnist_784.arff"
        plain = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
        features: list[dict[str, Any]] = [
            {"index": str(i), "name": f"pixel{i + 1}", "data_type": "numeric", "is_target": "false", **plain}
            for i in range(columns)
        ]
        digits = [str(digit) for digit in range(10)]
        features.append(
            {"index": str(columns), "name": "class", "data_type": "nominal", "nominal_value": digits}
            | {"is_target": "true", **plain}
        )
        description = {
            "id": str(self.data_id),
            "name": "mnist_784",
            "version": "1",
            "description": "images",
            "format": "ARFF",
            "status": "active",
            "url": file,
            "file_id": "52667",
            "default_target_attribute": "class",
            "md5_checksum": hashlib.md5(arff).hexdigest(),
        }
        qualities = [{"name": "NumberOfInstances", "value": f"{len(self.pixels)}.0"}]
        return {
            f"{api}/{self.data_id}": json.dumps({"data_set_description": description}).encode(),
            f"{api}/features/{self.data_id}": json.dumps({"data_features": {"feature": features}}).encode(),
            f"{api}/qualities/{self.data_id}": json.dumps({"data_qualities": {"quality": qualities}}).encode(),
            file: arff,
        }

    def urlopen(self, request: Request) -> Answer:
        url = request.full_url
        self.asked.append(url)
        if url not in self.served or url.endswith(f"json/data/{self.data_id}"):
            self.served = self.pages()  # the description is asked for first
        return Answer(self.trouble(url, gzip.compress(self.served[url])))


def enlarged_digits() -> tuple[np.ndarray, np.ndarray]:
    """70 of scikit-learn's digits, the classes by turns, three times as large and with a frame: 28 by 28 pixels."""
    images, labels = map(np.asarray, load_digits(return_X_y=True))
    rows = [np.flatnonzero(labels == i % 10)[i // 10] for i in range(TRAIN + TEST)]
    large = images[rows].reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2)
    framed = np.pad(large, ((0, 0), (2, 2), (2, 2)))
    return np.rint(framed * 255 / 16).astype(int).reshape(-1, PIXELS), labels[rows]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A network in which there is nothing but a small OpenML, and an empty folder for data sets."""
    made = Server(*enlarged_digits())
    monkeypatch.setenv("SANDBOX_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(Images, "published", (TRAIN, TEST))
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", lambda request: made.urlopen(request))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # scikit-learn waits between trials
    return made


def build(part: type[Images] = MNIST, seed: int = 0, **settings: Any) -> Task:
    return part.model_validate(settings).build(Site(np.zeros(0), np.zeros(0), np.random.default_rng(seed)))


RAW = {"differential": False, "constants": ()}

# Fetching.


def test_images_arrive_as_they_were_sent(server: Server) -> None:
    task = build(**RAW)
    np.testing.assert_array_equal(task.inputs, server.pixels / 255)
    np.testing.assert_array_equal(task.labels, server.labels)
    np.testing.assert_array_equal(task.train, np.arange(TRAIN))
    np.testing.assert_array_equal(task.test, np.arange(TRAIN, TRAIN + TEST))
    assert task.targets.shape == (TRAIN + TEST, 10)
    np.testing.assert_array_equal(task.answers(task.targets), server.labels)
    assert task.input_names[:2] == ("pixel 0 0", "pixel 0 1")
    assert task.input_names[-1] == "pixel 27 27"


def test_the_second_time_nothing_is_fetched(server: Server) -> None:
    first = build()
    asked = len(server.asked)
    assert asked >= 4
    np.testing.assert_array_equal(build().inputs, first.inputs)
    assert len(server.asked) == asked
    assert {path.name for path in openml.folder().iterdir()} == {"mnist.npz", "mnist.npz.sha256"}
    said, name = (openml.folder() / "mnist.npz.sha256").read_text().split()
    assert hashlib.sha256((openml.folder() / name).read_bytes()).hexdigest() == said


def test_each_data_set_has_its_own_number_and_file(server: Server) -> None:
    build()
    server.data_id = 40996
    server.pixels = 255 - server.pixels
    np.testing.assert_array_equal(build(FashionMNIST, **RAW).inputs, server.pixels / 255)
    assert (openml.folder() / "fashion_mnist.npz").exists()


def test_scenes_ask_for_nothing_before_they_are_built(server: Server) -> None:
    assert MNIST.model_validate({"train_samples": 20}).shape() == (2 * PIXELS + 2, 10)
    assert server.asked == []


# Parts of it.


def test_parts_keep_the_published_split_and_the_proportions(server: Server) -> None:
    task = build(seed=1, train_samples=20, test_samples=10, **RAW)
    assert (len(task.train), len(task.test)) == (20, 10)
    assert task.labels is not None
    assert np.bincount(task.labels[task.train]).tolist() == [2] * 10
    rows = [int(np.flatnonzero((server.pixels / 255 == x).all(axis=1))[0]) for x in task.inputs]
    assert set(np.array(rows)[task.test]) == set(range(TRAIN, TRAIN + TEST))
    assert set(np.array(rows)[task.train]) <= set(range(TRAIN))
    np.testing.assert_array_equal(task.labels, server.labels[rows])
    other = build(seed=2, train_samples=20, test_samples=10, **RAW)
    assert (other.inputs != task.inputs).any()


def test_chosen_classes_and_components(server: Server) -> None:
    task = build(classes=(7, 2), components=3, test_samples=0, **RAW)
    assert task.inputs.shape == (12, 3)
    assert task.test.size == 0
    assert task.labels is not None
    np.testing.assert_array_equal(task.labels, np.tile([1, 0], 6))  # 2 and 7 by turns
    assert (task.inputs.min(axis=0) == 0).all()
    np.testing.assert_allclose(task.inputs.max(axis=0), 1)


def test_too_few_for_all_classes(server: Server) -> None:
    with pytest.raises(SandboxError, match="9 training samples hold none of class 9; take more"):
        build(train_samples=9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_samples": 60_001}, "MNIST has 60000 of them; got 60001"),
        ({"test_samples": 10_001}, "MNIST has 10000 of them; got 10001"),
        ({"train_samples": 0}, "greater than or equal to 1"),
        ({"classes": (3, 10)}, "MNIST has no class 10"),
        ({"components": 785}, "MNIST has 784 features"),
        ({"test_fraction": 0.1}, "Extra inputs are not permitted"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MNIST(**settings)


# What can go wrong on the way.


def failing(error: Exception) -> Callable[[str, bytes], bytes]:
    def trouble(url: str, content: bytes) -> bytes:
        raise error

    return trouble


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (URLError("Name or service not known"), "Name or service not known"),
        (HTTPError("https://www.openml.org", 503, "busy", None, None), "it answers 503"),  # type: ignore[arg-type]
        (TimeoutError("timed out"), "timed out"),
        (ConnectionResetError("reset by peer"), "reset by peer"),
    ],
)
def test_no_network(server: Server, error: Exception, reason: str) -> None:
    server.trouble = failing(error)
    with pytest.raises(SandboxError, match=re.escape(f"openml.org cannot be reached ({reason}). Check the network")):
        build()
    assert list(openml.folder().iterdir()) == []


def cut_arff(url: str, content: bytes) -> bytes:
    return content[: len(content) // 2] if url.endswith(".arff") else content


def another_row(url: str, content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content) + b"0," * PIXELS + b"1\n") if url.endswith(".arff") else content


def no_json(url: str, content: bytes) -> bytes:
    return content if url.endswith(".arff") else gzip.compress(b"<html>maintenance</html>")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(cut_arff, "ended before"), (another_row, "md5 checksum"), (no_json, "Expecting value")],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_damaged_on_the_way_is_refused_and_not_kept(server: Server, trouble: Any, reason: str) -> None:
    server.trouble = trouble
    with pytest.raises(SandboxError, match=f"(?s)data set 554 of openml.org is damaged; try again later.*{reason}"):
        build()
    assert list(openml.folder().iterdir()) == []
    server.trouble = lambda url, content: content
    assert len(build().train) == TRAIN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda server: setattr(server, "pixels", server.pixels[:-1]) or setattr(server, "labels", server.labels[:-1]),
         "It holds 69 images of 784 pixels; expected 70 of 784"),
        (lambda server: setattr(server, "pixels", server.pixels * 2), "beyond 0 to 255"),
        (lambda server: setattr(server, "pixels", server.pixels / 2), "not whole numbers"),
    ],
)  # fmt: skip
def test_other_data_than_expected(server: Server, change: Callable[[Server], None], message: str) -> None:
    change(server)
    with pytest.raises(SandboxError, match=message):
        build()


def test_folder_that_cannot_be_written(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SANDBOX_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(SandboxError, match=r"mnist cannot be kept in .*; set SANDBOX_DATA to a folder"):
        build()


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SANDBOX_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert openml.folder() == tmp_path / ".cache" / "matter-sandbox"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert openml.folder() == tmp_path / "caches" / "matter-sandbox"


def test_folder_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_DATA", "~nobody-of-this-name/data")
    with pytest.raises(SandboxError, match="SANDBOX_DATA is '~nobody-of-this-name/data'"):
        openml.folder()


# What can go wrong with the file that is kept.


def rewritten(path: Path, **arrays: np.ndarray) -> None:
    """Another file, with the checksum that is its own."""
    np.savez(path, **arrays)  # type: ignore[arg-type]
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_the_checksum(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").unlink()


def empty_the_checksum(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").write_text("")


def hide_an_object(path: Path) -> None:
    rewritten(path, pixels=np.array([{}], dtype=object), labels=np.zeros(1, np.uint8))


def leave_out_the_labels(path: Path) -> None:
    rewritten(path, pixels=np.zeros((TRAIN + TEST, PIXELS), np.uint8))


def take_fewer(path: Path) -> None:
    rewritten(path, pixels=np.zeros((5, PIXELS), np.uint8), labels=np.zeros(5, np.uint8))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (cut, "was cut or altered"),
        (flip_a_bit, "was cut or altered"),
        (empty_the_checksum, "was cut or altered"),
        (lose_the_checksum, "or its checksum cannot be read"),
        (hide_an_object, "holds no pixels and labels"),
        (leave_out_the_labels, "holds no pixels and labels"),
        (take_fewer, "does not hold 70 images of 784 pixels"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_harmed_file_is_refused_until_it_is_deleted(
    server: Server, harm: Callable[[Path], None], message: str
) -> None:
    build()
    path = openml.folder() / "mnist.npz"
    harm(path)
    asked = len(server.asked)
    with pytest.raises(SandboxError, match=f"{message}.*delete {re.escape(str(path))}"):
        build()
    assert len(server.asked) == asked
    path.unlink()
    assert len(build().train) == TRAIN


# The scenes that use it.

DENSE = {0.1: 784 * 2048, 0.05: 2048 * 10, 0.02: 2048, 0.01: 10}
CONV = {0.128: 25 * 32, 0.032: 25 * 32 * 64 + 32, 0.008: 64 * 4 * 4 * 10 + 64, 0.002: 10}
"""Compliances, and how many weights and biases have each: kernels of 5 by 5 lead from 1 to 32 and on to 64 maps."""


@pytest.mark.parametrize(
    ("name", "data_id", "counts"), [("fashion_mnist_hopfield", 40996, DENSE), ("mnist_hopfield_conv", 554, CONV)]
)
def test_scene_learns_from_what_is_served(
    name: str, data_id: int, counts: dict[float, int], server: Server, tmp_path: Path
) -> None:
    server.data_id = data_id
    part = {"train_samples": 10, "test_samples": 2}
    # With little nudging the step is small, and must lower the loss of the images that it is made with.
    experiment = sandbox.load(name, task=part, controller={"beta": 0.1}, training={"epochs": 1})
    compliance = np.asarray(experiment.setup.apparatus.compliance)
    assert dict(zip(*np.unique(compliance, return_counts=True), strict=True)) == counts
    run = experiment.run(tmp_path / "out")
    assert {tuple(x) for x in run.data["input"].to_numpy()} <= {tuple(x) for x in server.pixels / 255}
    assert run.data["in_test"].to_numpy().tolist() == [False] * 10 + [True] * 2
    assert run.data["relaxations"].to_numpy().tolist() == [0, 2 * 10]
    before, after = run.data["train_loss"].to_numpy()
    assert after < before


@pytest.mark.parametrize("kind", ["hopfield", "hopfield_conv"])
def test_scenes_of_both_data_sets_are_alike(kind: str) -> None:
    digits, clothing = (scene.read(f"{data}_{kind}").resolved() for data in ("mnist", "fashion_mnist"))
    assert clothing["task"] == digits["task"] | {"type": "fashion_mnist"}
    assert clothing["controller"] == digits["controller"] | {"beta": 0.2}
    for section in ("network", "system", "terminals", "bench", "training"):
        assert clothing[section] == digits[section]
