"""What cannot be relaxed, found and named before solving: parts that nothing holds, rigid motions, floppy modes.

A component of the state is held if it is clamped, or has a spring to a target, or a node law with curvature. Edges
carry the hold from node to node while they are alive: neither cut (stiffness 0) nor slack at the start and around it.

The check is made once per pattern: which components are clamped, which are held otherwise, which edges are alive. It
takes the geometry of the first start it meets, of the first sample. Parts that a load or tension can hold up (a
pendulum, a stretched string) pass; if they do not hold after all, the relaxation ends with the status SINGULAR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_array, csr_array

from sandbox.errors import NetworkError
from sandbox.physics.assembly import widest_front
from sandbox.physics.rigid_motions import Motions, firm, parts_of, rigid_motions_left
from sandbox.physics.zero_modes import compatibility_matrix, moving_nodes, zero_modes

if TYPE_CHECKING:
    from sandbox.physics.relaxation.problem import Problem

MAX_SAMPLES = 8
"""Starts of a batch that are looked at for edges that are alive; one that is alive in any counts."""

PROBE = 1e-3
"""Of the variable of an edge (of the largest one, or 1, where that is 0): an edge without slope and curvature at the
start is dead only if it has none this far to both sides either. A power law at rest is alive, a cut edge is not."""

AT_PLAY = 1e-9
"""Of curvature times length of the same edge, or of the edges that meet at the node: tension or load below does not
hold anything up. Well below the rest scale of the relaxation, as even a little tension makes a minimum; above the
residue of an earlier relaxation."""

MAX_COMPONENTS = 200_000
MAX_FRONT = 2_000
"""Above these (components in all, and in the widest front of an elimination) the search for floppy modes would cost
more than a relaxation by conjugate gradients. It is left out, and the relaxation decides."""

NAMED = 8
"""Nodes named in a message."""


@dataclass(frozen=True, eq=False)
class _Holds:
    """What holds a problem's components up.

    Attributes:
        alive: (E + Q,) mask of the bonds.
        elastic: (E + Q,) mask of the bonds with curvature.
        held: (N, D) mask: clamped, or with a spring or node law of its own.
    """

    alive: np.ndarray
    elastic: np.ndarray
    held: np.ndarray


def check(problem: Problem) -> None:
    """Raise if the problem cannot have an isolated minimum.

    Raises:
        NetworkError: naming the nodes of a part that nothing holds, of rigid motions that the clamps leave, or of
            floppy modes in a network without tension or load; and the likely mend.
    """
    holds = _holds(problem)
    key = b"rigidity" + b"|".join(
        [problem.boundary.pattern, *(np.packbits(x).tobytes() for x in (holds.alive, holds.elastic, holds.held))]
    )
    caches = problem.material.caches
    verdict = caches.get(key)
    if not isinstance(verdict, _Verdict):
        caches[key] = verdict = _Verdict(problem, holds)
    verdict.judge(problem)


class _Verdict:
    """The findings for one pattern; floppy modes are looked for only when nothing at play could hold them up."""

    def __init__(self, problem: Problem, holds: _Holds) -> None:
        self._holds = holds
        self._floppy: str | None = None
        self._floppy_known = False
        self._motions: Motions | None = None
        ends = problem.ends if holds.alive.all() else problem.ends[holds.alive]
        part = parts_of(ends, len(holds.held))
        self._loose = _loose_parts(problem, holds, part)
        if self._loose is None and problem.material.components > 1:
            position = _position(problem)
            if not part.any() and firm(position, holds.held):
                self._motions = Motions(0, 0, "")
                return
            directions = _directions(problem)
            if not holds.alive.all():
                directions = directions[holds.alive]
            self._motions = rigid_motions_left(position, ends, directions, holds.held, part)

    def judge(self, problem: Problem) -> None:
        if self._loose is not None:
            raise NetworkError(self._loose)
        if self._motions is None:
            return
        linearized = problem.material.geometry == "projection"
        if self._motions.total:
            # A load can hold a hinged body, in full geometry: it hangs. A free translation has no minimum.
            if self._motions.translations or linearized or not _pushed(problem):
                raise NetworkError(self._motions.message)
            return
        if not self._floppy_known and (linearized or not (_pushed(problem) or _tense(problem))):
            self._floppy, self._floppy_known = _floppy_parts(problem, self._holds), True
        if self._floppy is not None and (linearized or not (_pushed(problem) or _tense(problem))):
            raise NetworkError(self._floppy)


def _holds(problem: Problem) -> _Holds:
    material, boundary = problem.material, problem.boundary
    law = material.law
    start = problem.start[np.linspace(0, problem.batch - 1, min(problem.batch, MAX_SAMPLES)).astype(int)]
    # The curvature of a quadratic law is the same everywhere.
    v = np.zeros((1, len(problem.stiffness))) if law.is_quadratic else material.measure_edges(start)
    stiffness = [problem.stiffness]
    if problem.knobs is not None:
        low, high = material.bounds  # a free stiffness of 0 may grow
        free = problem.knobs.compliance > 0
        stiffness.append(np.where(free, np.clip(problem.knobs.values, low, high), problem.stiffness))
    others = [material.parameters[name] for name in law.fixed]
    slope, curvature = np.zeros(v.shape[1], dtype=bool), np.zeros(v.shape[1], dtype=bool)
    scale = float(np.abs(v).max(initial=0.0)) or 1.0
    around = PROBE * np.where(v != 0, np.abs(v), scale)
    with np.errstate(all="ignore"):
        for side in (0, 1, -1):
            offset = side * around
            if side and (law.is_quadratic or curvature.all()):
                break
            for theta in stiffness:
                terms = law.on_numpy(v + offset, theta, *others)
                slope |= (terms[1] != 0).any(axis=0)
                curvature |= (terms[2] != 0).any(axis=0)
    pairs = boundary.pair_stiffness > 0
    held = boundary.clamped | (boundary.spring_stiffness > 0)
    if material.node_law is not None:
        offsets = (0.0,) if material.node_law.is_quadratic else (0.0, PROBE * scale, -PROBE * scale)
        with np.errstate(all="ignore"):
            for offset in offsets:
                terms = material.node_law.on_numpy(start + offset, *material.node_parameters.values())
                held |= (terms[2] != 0).any(axis=0)
    return _Holds(np.concatenate([slope | curvature, pairs]), np.concatenate([curvature, pairs]), held)


def _loose_parts(problem: Problem, holds: _Holds, label: np.ndarray) -> str | None:
    """Connected parts, labelled (N,), in which nothing is held."""
    n_nodes, dim = holds.held.shape
    anchored = np.zeros(label.max() + 1, dtype=bool)
    anchored[label[holds.held.any(axis=1)]] = True
    loose = ~anchored[label]
    if not loose.any() or (dim > 1 and label.max() == 0 and n_nodes > 1):
        return None  # a whole body that nothing holds: its rigid motions say more
    single = np.bincount(label)[label] == 1
    alone, parts = np.flatnonzero(loose & single), np.flatnonzero(loose & ~single)
    said = []
    if len(parts):
        count = len(np.unique(label[parts]))
        what = "a part in which nothing is held" if count == 1 else f"{count} parts in which nothing is held"
        said.append(f"{_nodes(parts)} {_are(parts)} not connected to any clamped node ({what})")
    if len(alone):
        degree = np.bincount(problem.ends.ravel(), minlength=n_nodes)[alone]
        edge = "edge at all" if not degree.any() else "edge of nonzero stiffness"
        said.append(f"{_nodes(alone)} {'has' if len(alone) == 1 else 'have'} no {edge}")
    return (
        "; ".join(said) + ". Clamp or ground a node of each such part, attach a spring to it, connect it by an edge "
        "of nonzero stiffness, or remove these nodes"
    )


def _floppy_parts(problem: Problem, holds: _Holds) -> str | None:
    """Zero modes of the free components, named by the nodes that move most."""
    n_nodes, dim = holds.held.shape
    directions = _directions(problem)
    elastic = holds.elastic
    if holds.held.size > MAX_COMPONENTS or widest_front(problem.ends, n_nodes) * dim > MAX_FRONT:
        return None
    if (np.linalg.norm(directions[elastic], axis=1) < 0.5).any():
        return None  # a bond of no length has no direction, and may resist in all: the solve decides
    matrix = compatibility_matrix(directions[elastic], problem.ends[elastic], n_nodes)
    free = np.flatnonzero(~holds.held.ravel())
    modes, all_found = zero_modes(csr_array(csc_array(matrix)[:, free]))
    if len(modes) == 0:
        return None
    most = moving_nodes(modes, free, (n_nodes, dim))
    linearized = problem.material.geometry == "projection"
    tension = "to first order tension does not resist" if linearized else "it carries no tension that would resist"
    count = f"{len(modes)}" if all_found else f"at least {len(modes)}"
    return (
        f"{count} floppy mode{'s' if len(modes) > 1 else ''}: the network can deform without stretching any edge, most "
        f"at {_nodes(most)}, and {tension}. Add edges (braces) there, clamp nodes, attach springs or a node law with "
        f"curvature,{'' if linearized else ' stretch the network,'} or remove floppy nodes "
        "(sandbox.physics.graphs.prune, or the key prune of a lattice)"
    )


def _position(problem: Problem) -> np.ndarray:
    """(N, D) at the first start, or the reference."""
    linearized = problem.material.geometry == "projection"
    return problem.material.network.positions if linearized else problem.start[0]


def _directions(problem: Problem) -> np.ndarray:
    """(E + Q, D) of all bonds there."""
    material = problem.material
    frame = material.frame(problem.boundary.pairs)
    dim = material.components
    if material.geometry == "projection":
        return frame[:, :dim]
    position = _position(problem)
    vectors = position[problem.ends[:, 1]] - position[problem.ends[:, 0]] + frame[:, :dim]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-12 * lengths.max(initial=0.0))


def _edge_terms(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes (B, E): of the slope, and of the force that an edge would exert if stretched by its length."""
    material = problem.material
    v = material.measure_edges(problem.start)
    others = [material.parameters[name] for name in material.law.fixed]
    with np.errstate(all="ignore"):
        terms = material.law.on_numpy(v, problem.stiffness, *others)
        return np.abs(terms[1]), np.abs(terms[2] * v)


def _tense(problem: Problem) -> bool:
    """Whether tension is at play in any bond that can move, in any sample."""
    boundary = problem.boundary
    slope, stiff = _edge_terms(problem)
    held = np.all(boundary.clamped, axis=1)
    mobile = np.logical_not(held[problem.ends].all(axis=1))
    n_edges = slope.shape[1]
    if bool(((slope > AT_PLAY * stiff) & mobile[:n_edges]).any()):
        return True
    if len(boundary.pairs) == 0:
        return False
    v = problem.material.measure_pairs(problem.start, boundary.pairs)
    pull = np.abs(boundary.pair_stiffness * (v - boundary.pair_targets))
    return bool(((pull > AT_PLAY * np.abs(boundary.pair_stiffness * v)) & mobile[n_edges:]).any())


def _pushed(problem: Problem) -> bool:
    """Whether loads, springs or a node law pull on free components in any sample."""
    material, boundary = problem.material, problem.boundary
    force = boundary.forces - boundary.spring_stiffness * (problem.start - boundary.spring_targets)
    if material.node_law is not None:
        force = force - material.node_law.on_numpy(problem.start, *material.node_parameters.values())[1]
    push = np.abs(np.where(boundary.clamped, 0.0, force)).max(axis=2)
    if not push.any():
        return False
    at = push.any(axis=0)[material.network.edges].any(axis=1)
    ends, stiff = material.network.edges[at], _edge_terms(problem)[1][:, at]
    resisting = np.zeros_like(push)
    for side in (0, 1):
        np.maximum.at(resisting.T, ends[:, side], stiff.T)
    return bool((push > AT_PLAY * resisting).any())


def _nodes(nodes: np.ndarray) -> str:
    names = ", ".join(str(n) for n in nodes[:NAMED].tolist())
    more = f", ... ({len(nodes)} in all)" if len(nodes) > NAMED else ""
    return f"node{'s' if len(nodes) > 1 else ''} {names}{more}"


def _are(nodes: np.ndarray) -> str:
    return "are" if len(nodes) > 1 else "is"
