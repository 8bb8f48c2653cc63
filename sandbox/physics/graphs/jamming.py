"""Soft spheres in a periodic box: energy minimization, contacts, compression to a coordination.

Two spheres with radii R_i, R_j at a distance r < R_i + R_j repel with the energy (R_i + R_j - r)^2 / 2. The mixture is
the field's standard one, half small and half large with diameters 1 : 1.4, which does not crystallize (O'Hern et al.,
Phys. Rev. E 68, 011306, 2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import numpy as np

from sandbox.errors import NetworkError
from sandbox.physics.network import Network

RATIO = 1.4
"""Diameter of the large spheres, in diameters of the small ones."""

JAMMING = {2: (0.84, 3.6), 3: (0.645, 7.7)}
"""By dimension: the packing fraction phi_c where packings become rigid, and z0 in z = 2 D + z0 sqrt(phi - phi_c)
(O'Hern et al. 2003). Used for first guesses only."""

HIGHEST = {2: 1.4, 3: 1.1}
"""Packing fraction at which compression stops: spheres overlap so much that they touch their second neighbours."""

FORCE_TOLERANCE = 1e-6
"""Largest net force on a sphere, in mean contact forces: about one contact in a million is then mistaken."""

MAX_STEPS = 30_000


@dataclass
class Spheres:
    """Spheres in a periodic cube.

    Args:
        positions: (N, D), in diameters of the small spheres.
        radii: (N,).
        box: edge length of the cube.
    """

    positions: np.ndarray
    radii: np.ndarray
    box: float

    @classmethod
    def random(cls, count: int, dimension: int, fraction: float, rng: np.random.Generator) -> Spheres:
        """Uniformly random positions, every second sphere large, at a packing fraction."""
        radii = np.where(np.arange(count) % 2, 0.5, 0.5 * RATIO)
        spheres = cls(rng.uniform(size=(count, dimension)), radii, 1.0)
        spheres.compress(fraction)
        return spheres

    def compress(self, fraction: float) -> None:
        """Scale the box and all positions to a packing fraction (overlaps counted twice, as is customary)."""
        dim = self.positions.shape[1]
        volume = {2: pi, 3: 4 * pi / 3}[dim] * np.sum(self.radii**dim)
        box = float(volume / fraction) ** (1 / dim)
        self.positions *= box / self.box
        self.box = box

    def neighbours(self, skin: float) -> np.ndarray:
        """Pairs of spheres less than ``skin`` from touching, (P, 2); wraps the positions into the box."""
        from scipy.spatial import KDTree

        self.positions -= self.box * np.floor(self.positions / self.box)
        self.positions[self.positions >= self.box] = 0.0
        pairs = KDTree(self.positions, boxsize=self.box).query_pairs(RATIO + skin, output_type="ndarray")
        gap = np.linalg.norm(self.separations(pairs), axis=1) - self.radii[pairs].sum(axis=1)
        return pairs[gap < skin]

    def separations(self, pairs: np.ndarray) -> np.ndarray:
        """``x_j - x_i`` of the nearest images, (P, D)."""
        r = self.positions[pairs[:, 1]] - self.positions[pairs[:, 0]]
        return r - self.box * np.rint(r / self.box)

    def relax(self, tolerance: float = FORCE_TOLERANCE) -> bool:
        """Move to a local minimum of the energy by FIRE; whether it was reached.

        FIRE: Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), in the semi-implicit form of Guénolé et al.,
        Comput. Mater. Sci. 175, 109584 (2020).
        """
        n, dim = self.positions.shape
        skin = min(0.25, 0.49 * self.box - RATIO)
        if skin <= 0:
            raise NetworkError(f"{n} spheres in {dim}D are so few that one touches its own image; ask for more nodes")
        velocity = np.zeros((n, dim))
        dt, alpha, downhill = 0.1, 0.1, 0
        pairs = self.neighbours(skin)
        reach, reference = self.radii[pairs].sum(axis=1), self.positions.copy()
        for _ in range(MAX_STEPS):
            if np.square(self.positions - reference).sum(axis=1).max() > (skin / 2) ** 2:
                pairs = self.neighbours(skin)
                reach, reference = self.radii[pairs].sum(axis=1), self.positions.copy()
            r = self.separations(pairs)
            distance = np.sqrt(np.einsum("pd,pd->p", r, r))
            push = np.maximum(reach - distance, 0.0)
            pull = (push / np.maximum(distance, 1e-12))[:, None] * r
            force = np.stack(
                [np.bincount(pairs[:, 1], pull[:, d], n) - np.bincount(pairs[:, 0], pull[:, d], n) for d in range(dim)],
                axis=1,
            )
            touching = np.count_nonzero(push)
            largest = np.sqrt(np.einsum("nd,nd->n", force, force).max())
            if touching == 0 or largest <= tolerance * push.sum() / touching or push.max() < 1e-10:
                return True
            power = np.vdot(force, velocity)
            if power > 0:
                downhill += 1
                if downhill > 5:
                    dt, alpha = min(1.1 * dt, 0.5), 0.99 * alpha
            else:
                downhill, dt, alpha = 0, max(0.5 * dt, 0.02), 0.1
                self.positions -= 0.5 * dt * velocity
                velocity[:] = 0.0
            velocity += dt * force
            velocity *= 1 - alpha
            velocity += alpha * force * (np.linalg.norm(velocity) / (1 - alpha) / np.linalg.norm(force))
            self.positions += dt * velocity
        return False

    def contacts(self) -> Network | None:
        """The spheres that touch as a periodic network, without rattlers (fewer than D + 1 contacts); None if none."""
        pairs = self.neighbours(0.0)
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        n, dim = self.positions.shape
        keep = core(pairs, np.ones(n, dtype=bool), dim + 1)
        if not keep.any():
            return None
        shifts = -self.box * np.rint((self.positions[pairs[:, 1]] - self.positions[pairs[:, 0]]) / self.box)
        return Network(self.positions.copy(), pairs, shifts, self.box * np.eye(dim)).keep_nodes(keep)


def core(edges: np.ndarray, keep: np.ndarray, degree: int) -> np.ndarray:
    """The largest set of nodes within ``keep`` (N,) with at least ``degree`` edges among them each, as a mask."""
    keep = keep.copy()
    while True:
        inside = keep[edges].all(axis=1)
        edges = edges[inside]
        weak = keep & (np.bincount(edges.ravel(), minlength=len(keep)) < degree)
        if not weak.any():
            return keep
        keep[weak] = False


def jammed(count: int, dimension: int, coordination: float, rng: np.random.Generator) -> Iterator[Network]:
    """Contact networks of one packing, first at a coordination or just above, then at rising compression.

    Random spheres are relaxed well above the jamming point, where that is quick, and the packing fraction is then
    lowered to where ``z - 2 D`` proportional to ``sqrt(phi - phi_c)`` says that the coordination is reached.

    Args:
        count: number of spheres.
        coordination: mean number of contacts per sphere that is not a rattler.
    """
    threshold, slope = JAMMING[dimension]

    def excess(z: float) -> float:
        return (max(0.0, z - 2 * dimension) / slope) ** 2

    most = 0.9 * HIGHEST[dimension]
    fraction = min(threshold + excess(coordination) + 0.05, most)
    spheres = Spheres.random(count, dimension, fraction, rng)
    for _ in range(12):
        spheres.relax(tolerance=1e-3)
        network = spheres.contacts()
        z = 0.0 if network is None else network.coordination
        if coordination <= z <= coordination + 0.2:
            break
        fraction = min(max(fraction + excess(coordination + 0.1) - excess(z), 0.9 * threshold), most)
        spheres.compress(fraction)
    step = 0.001
    while fraction < HIGHEST[dimension]:
        network = spheres.contacts() if spheres.relax() else None
        if network is not None:
            yield network
        step = min(1.5 * step, 0.02)
        fraction += step
        spheres.compress(fraction)
