"""The colours of figures, as differences in CIELAB: as they are seen, and without red, green or blue cones."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from sandbox.plot.style import CATEGORICAL, DIVERGING, SEQUENTIAL

SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""On linear RGB; Machado, Oliveira and Fernandes 2009 (IEEE TVCG 15, 1291), severity 1."""

XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])
"""Of linear sRGB; white is the sum of the columns."""

TOLD_APART = 10.0
"""A difference in CIELAB that is seen at a glance; about 2 is just seen."""


def seen(colours: np.ndarray, sight: str) -> np.ndarray:
    """CIELAB of sRGB colours (..., 3) for eyes of a kind."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(SIGHT[sight]), 0, 1)
    share, dark = linear @ XYZ.T / XYZ.sum(1), (6 / 29) ** 3
    x, y, z = np.moveaxis(np.where(share > dark, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def steps(lab: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(lab, axis=0), axis=1)


SHARES = np.linspace(0, 1, 65)


@pytest.mark.parametrize("colours", [SEQUENTIAL, DIVERGING], ids=["sequential", "diverging"])
def test_maps_are_even(colours) -> None:
    """Equal steps of the value look alike wherever they are; CIELAB is itself even to a factor of about 2."""
    sizes = steps(seen(colours(SHARES)[:, :3], "all cones"))
    assert sizes.max() < 2.5 * sizes.min()


@pytest.mark.parametrize("sight", SIGHT)
def test_maps_are_read_by_all(sight: str) -> None:
    light = seen(SEQUENTIAL(SHARES)[:, :3], sight)[:, 0]
    assert (np.diff(light) > 0).all()
    assert light[-1] - light[0] > 70
    both = seen(DIVERGING(SHARES)[:, :3], sight)
    assert both[32, 0] > 45 + both[[0, -1], 0].max()  # far from zero is dark, on either side
    other = np.linalg.norm(both[:32] - both[:32:-1], axis=1)
    assert other[:30].min() > TOLD_APART  # and the sides are told apart, but next to zero


@pytest.mark.parametrize("sight", SIGHT)
def test_categories_are_told_apart(sight: str) -> None:
    lab = seen(np.array([to_rgb(c) for c in CATEGORICAL]), sight)
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1) + np.diag(np.full(len(lab), np.inf))
    assert apart.min() > TOLD_APART
