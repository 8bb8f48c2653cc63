"""What the outside world does to a network: clamps, external forces and springs to targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sandbox.copies import Copied
from sandbox.errors import BoundaryError


@dataclass(frozen=True, eq=False)
class Boundary(Copied):
    """Boundary conditions of B samples of one network of N nodes with D state components.

    Which components are clamped, and how stiff the springs are, is common to the samples; clamped values, forces and
    targets are not. Built by the methods, each of which returns a new boundary::

        Boundary.free(n_nodes=64, components=1, batch=3).clamp([0, 5], values).spring([7], targets, beta)

    Args:
        clamped: (N, D) mask of the components that are held.
        values: (B, N, D), the values they are held at; ignored elsewhere.
        forces: (B, N, D) external forces (injected currents), added to what the network exerts.
        spring_stiffness: (N, D) stiffness of the spring from each component to its target; may be negative.
        spring_targets: (B, N, D).
        pairs: (Q, 2) pairs of nodes with a spring across them.
        pair_stiffness: (Q,), may be negative.
        pair_targets: (B, Q), the distance (or difference ``s_j - s_i``) that each pair spring wants.
    """

    clamped: np.ndarray
    values: np.ndarray
    forces: np.ndarray
    spring_stiffness: np.ndarray
    spring_targets: np.ndarray
    pairs: np.ndarray
    pair_stiffness: np.ndarray
    pair_targets: np.ndarray

    @classmethod
    def free(cls, n_nodes: int, components: int, batch: int = 1) -> Boundary:
        """Nothing held, nothing pushed."""
        if batch < 1:
            raise BoundaryError(f"a batch has at least one sample; got {batch}")
        each, all_ = (n_nodes, components), (batch, n_nodes, components)
        return cls(
            clamped=np.zeros(each, dtype=bool),
            values=np.zeros(all_),
            forces=np.zeros(all_),
            spring_stiffness=np.zeros(each),
            spring_targets=np.zeros(all_),
            pairs=np.zeros((0, 2), dtype=np.int32),
            pair_stiffness=np.zeros(0),
            pair_targets=np.zeros((batch, 0)),
        )

    @property
    def batch(self) -> int:
        return self.values.shape[0]

    @property
    def n_nodes(self) -> int:
        return self.values.shape[1]

    @property
    def components(self) -> int:
        return self.values.shape[2]

    @cached_property
    def pattern(self) -> bytes:
        """What a symbolic factorization depends on: the clamped components and the pairs."""
        return self.clamped.tobytes() + b"|" + self.pairs.tobytes()

    def clamp(self, nodes: npt.ArrayLike, values: npt.ArrayLike, components: npt.ArrayLike | None = None) -> Boundary:
        """Hold components of nodes at values; those held already are held at the new ones.

        Args:
            nodes: (n,) indices.
            values: broadcast to (B, n, d), where d is the number of components held; (B, n) will do when d is 1.
            components: which components, all by default; ``[1]`` makes a roller that is free in x.
        """
        where, array = self._place(nodes, values, components, "clamped values")
        self._check_once(where[0].ravel(), array, "is to be held at two values")
        clamped, held = self.clamped.copy(), self.values.copy()
        clamped[where] = True
        held[(slice(None), *where)] = array
        return replace(self, clamped=clamped, values=held)

    def push(self, nodes: npt.ArrayLike, forces: npt.ArrayLike, components: npt.ArrayLike | None = None) -> Boundary:
        """Add external forces (injected currents) on components of nodes; shapes as for :meth:`clamp`."""
        where, array = self._place(nodes, forces, components, "forces")
        total = self.forces.copy()
        np.add.at(total, (slice(None), *where), array)  # pyright: ignore[reportArgumentType]
        return replace(self, forces=total)

    def spring(
        self,
        nodes: npt.ArrayLike,
        targets: npt.ArrayLike,
        stiffness: float,
        components: npt.ArrayLike | None = None,
    ) -> Boundary:
        """Attach a spring from components of nodes to target values: energy ``stiffness/2*(s - target)**2`` each.

        Raises:
            BoundaryError: naming a component that has a spring already.
        """
        where, array = self._place(nodes, targets, components, "spring targets")
        if not np.isfinite(stiffness):
            raise BoundaryError(f"the spring stiffness must be finite; got {stiffness}")
        if stiffness == 0:
            return self  # and what has a spring keeps it
        self._check_once(where[0].ravel(), None, "is to have two springs")
        sprung = where[0].ravel()[(self.spring_stiffness[where] != 0).any(axis=1)]
        if len(sprung):
            raise BoundaryError(
                f"node {int(sprung[0])} has a spring already. Two springs are one, with the sum of their stiffnesses "
                "and the mean of their targets, weighted with these; or put one of them into a node law"
            )
        k, t = self.spring_stiffness.copy(), self.spring_targets.copy()
        k[where] = stiffness
        t[(slice(None), *where)] = array
        return replace(self, spring_stiffness=k, spring_targets=t)

    def pair_spring(self, pairs: npt.ArrayLike, targets: npt.ArrayLike, stiffness: float) -> Boundary:
        """Attach springs across pairs of nodes: energy ``stiffness/2*(v - target)**2``, v as the network's edges.

        Args:
            pairs: (Q, 2) node indices.
            targets: broadcast to (B, Q).
        """
        given = np.asarray(pairs)
        if given.size and not np.issubdtype(given.dtype, np.integer):
            raise BoundaryError(f"pairs must be node indices, whole numbers; got {given.dtype}")
        self._check_nodes(given.ravel())
        pairs = given.astype(np.int32).reshape(-1, 2)
        same = pairs[pairs[:, 0] == pairs[:, 1]]
        if len(same):
            raise BoundaryError(f"a pair joins node {int(same[0, 0])} to itself")
        if not np.isfinite(stiffness):
            raise BoundaryError(f"the stiffness of a pair's spring must be finite; got {stiffness}")
        try:
            wanted = np.broadcast_to(np.asarray(targets, dtype=float), (self.batch, len(pairs)))
        except ValueError:
            raise BoundaryError(
                f"pair targets have shape {np.shape(targets)}; expected {(self.batch, len(pairs))}: samples, pairs"
            ) from None
        if not np.isfinite(wanted).all():
            raise BoundaryError(
                f"pair targets must be finite; pair {int(np.argwhere(~np.isfinite(wanted))[0, 1])} is not"
            )
        return replace(
            self,
            pairs=np.concatenate([self.pairs, pairs]),
            pair_stiffness=np.concatenate([self.pair_stiffness, np.full(len(pairs), float(stiffness))]),
            pair_targets=np.concatenate([self.pair_targets, wanted], axis=1),
        )

    def check_held(self) -> None:
        """See that nothing pushes or pulls at what is held: a clamp would take it up, and it would change nothing.

        Raises:
            BoundaryError: naming the node and its component.
        """
        for what, size, mend in (
            ("push", self.forces, "either hold the node or push it"),
            ("spring", self.spring_stiffness, "either hold the node or leave it to the spring"),
        ):
            if not size.any():
                continue
            at_held = np.argwhere((size != 0) & self.clamped)
            if len(at_held):
                node, component = (int(index) for index in at_held[0][-2:])
                raise BoundaryError(
                    f"there is a {what} of {size[tuple(at_held[0])]:.6g} on component {component} of node {node}, "
                    f"which is held, so it would change nothing; in that component, {mend}"
                )
        still = self.clamped[self.pairs].all(axis=(1, 2)) & (self.pair_stiffness != 0)
        if still.any():
            i, j = self.pairs[int(np.argmax(still))].tolist()
            raise BoundaryError(
                f"there is a spring across the nodes {i} and {j}, which are both held, so it would change nothing; "
                "free one of them, or leave the spring out"
            )

    def sample(self, b: int) -> Boundary:
        """The boundary of sample b alone, as a batch of one."""
        one = slice(b, b + 1)
        return replace(
            self,
            values=self.values[one],
            forces=self.forces[one],
            spring_targets=self.spring_targets[one],
            pair_targets=self.pair_targets[one],
        )

    def repeated(self, batch: int) -> Boundary:
        """The boundary of one sample for each sample of a batch."""
        if batch == self.batch:
            return self
        return replace(
            self,
            values=np.repeat(self.values, batch, axis=0),
            forces=np.repeat(self.forces, batch, axis=0),
            spring_targets=np.repeat(self.spring_targets, batch, axis=0),
            pair_targets=np.repeat(self.pair_targets, batch, axis=0),
        )

    def _check_nodes(self, nodes: np.ndarray) -> None:
        bad = nodes[(nodes < 0) | (nodes >= self.n_nodes)]
        if len(bad):
            raise BoundaryError(f"node {int(bad[0])} does not exist; nodes run from 0 to {self.n_nodes - 1}")

    def _check_once(self, nodes: np.ndarray, values: np.ndarray | None, why: str) -> None:
        """See that no node comes twice; with the same values (B, n, d) it may."""
        order = np.argsort(nodes, kind="stable")
        again = np.flatnonzero(np.diff(nodes[order]) == 0)
        for first, second in zip(order[again], order[again + 1], strict=True):
            if values is None or (values[:, first] != values[:, second]).any():
                raise BoundaryError(f"node {int(nodes[first])} is named twice, and {why}; name it once")

    def _place(
        self, nodes: npt.ArrayLike, values: npt.ArrayLike, components: npt.ArrayLike | None, what: str
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        nodes = np.atleast_1d(np.asarray(nodes))
        if nodes.size == 0:
            nodes = nodes.astype(np.int64)
        if nodes.ndim != 1 or not np.issubdtype(nodes.dtype, np.integer):
            raise BoundaryError(f"nodes must be a list of node indices; got {nodes!r}")
        self._check_nodes(nodes)
        which = np.arange(self.components) if components is None else np.atleast_1d(np.asarray(components))
        if which.size and (which.min() < 0 or which.max() >= self.components):
            raise BoundaryError(f"components {which.tolist()} do not exist; the state has {self.components}")
        array = np.asarray(values, dtype=float)
        if not np.isfinite(array).all():
            raise BoundaryError(f"{what} must be finite; node {int(nodes[0])}... was given {array.ravel()[:3]}")
        shape = (self.batch, len(nodes), len(which))
        if len(which) == 1 and 1 <= array.ndim <= 2 and array.shape[-1] == len(nodes):
            array = array[..., None]
        try:
            array = np.broadcast_to(array, shape)
        except ValueError:
            raise BoundaryError(
                f"{what} have shape {np.shape(values)}; expected {shape}: samples, nodes, components (or what "
                "broadcasts to it)"
            ) from None
        return np.ix_(nodes, which), array
