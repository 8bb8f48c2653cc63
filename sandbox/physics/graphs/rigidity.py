"""Rigidity of a network of central-force springs at its reference positions: zero modes and states of self-stress.

To first order a displacement u stretches the bonds by R u, with R the rigidity matrix; forces t in the bonds act on the
nodes with -R^T t. Displacements that stretch nothing are zero modes: the rigid motions, and floppy modes. Bond forces
that balance are states of self-stress. Maxwell and Calladine: ``N D - E = zero modes - states of self-stress``
(Lubensky et al., Rep. Prog. Phys. 78, 073901, 2015).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space, orth, qr
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import ArpackError, eigsh, splu

from sandbox.errors import NetworkError
from sandbox.physics.network import Network
from sandbox.physics.zero_modes import compatibility_matrix

ZERO_STIFFNESS = 1e-10
"""Eigenvalues of R^T R below this fraction of the largest possible count as zero: far above rounding (1e-15), far below
the softest mode of networks of up to some 1e5 nodes that are not finely tuned."""


def rigidity_matrix(network: Network) -> csr_array:
    """The rigidity matrix R, (E, N D): the change of each bond's length per displacement of each coordinate.

    Raises:
        NetworkError: if a bond has no length, hence no direction.
    """
    vectors, lengths = network.bond_vectors(), network.lengths()
    if not (lengths > 0).all():
        e = int(np.argmin(lengths))
        raise NetworkError(f"edge {e} joins nodes {tuple(network.edges[e].tolist())}, which coincide; move one of them")
    return compatibility_matrix(vectors / lengths[:, None], network.edges, network.n_nodes)


def rigid_motions(network: Network) -> np.ndarray:
    """Orthonormal translations and those rotations that leave the periodic box alone, (K, N D).

    K is D (D + 1) / 2 for a free network that is not flat, and D for a periodic one.
    """
    n, dim = network.n_nodes, network.dimension
    shifts = np.tile(np.eye(dim), n)
    i, j = np.triu_indices(dim, 1)
    turns = np.zeros((len(i), dim, dim))
    turns[np.arange(len(i)), i, j], turns[np.arange(len(i)), j, i] = 1.0, -1.0
    if network.cell is not None and len(i):
        scale = np.abs(network.cell).max() or 1.0
        allowed = null_space((network.cell / scale @ turns).reshape(len(i), -1).T)
        turns = np.tensordot(allowed.T, turns, axes=1)
    centred = network.positions - network.positions.mean(axis=0)
    centred = centred / (np.abs(centred).max() or 1.0)
    return orth(np.concatenate([shifts, (centred @ turns).reshape(len(turns), n * dim)]).T, rcond=1e-9).T


def floppy_modes(network: Network) -> int:
    """Number of independent zero modes that are not rigid motions.

    By dense algebra, a few seconds for 3,000 coordinates; :func:`is_rigid` is much faster on large networks.
    """
    matrix = rigidity_matrix(network)
    stiffness = np.linalg.eigvalsh((matrix.T @ matrix).toarray())
    zeros = int(np.count_nonzero(stiffness < ZERO_STIFFNESS * 2 * max(1, network.degrees.max())))
    return zeros - len(rigid_motions(network))


def is_rigid(network: Network) -> bool:
    """Whether the rigid motions are the only zero modes (by sparse algebra)."""
    matrix, free = _pinned(network)
    if len(free) == 0:
        return True
    if network.n_edges < len(free):
        return False
    stiffness = csc_array(matrix.T @ matrix)
    if len(free) <= 100:
        softest = float(np.linalg.eigvalsh(stiffness.toarray())[0])
    else:
        start = np.random.default_rng(0).normal(size=len(free))
        try:  # the shift keeps the factorization regular when there are zero modes
            values = eigsh(stiffness, k=1, sigma=-ZERO_STIFFNESS, v0=start, return_eigenvectors=False)
        except ArpackError:
            return floppy_modes(network) == 0
        except RuntimeError:  # exactly singular
            return False
        softest = float(np.asarray(values)[0])
    return softest > ZERO_STIFFNESS * 2 * int(network.degrees.max())


def self_stresses(network: Network, rng: np.random.Generator) -> np.ndarray:
    """An orthonormal basis of the states of self-stress of a rigid network, (E, S): balanced forces in the bonds.

    The row sums of squares say how redundant each bond is: 0 if its loss makes a floppy mode, towards 1 if the
    others make up for it. Found by projecting S random vectors.

    Raises:
        NetworkError: if the network is not rigid.
    """
    if not is_rigid(network):
        raise NetworkError(
            f"{network} has floppy modes, so that its states of self-stress cannot be counted; add bonds"
        )
    matrix, free = _pinned(network)
    count = network.n_edges - len(free)
    if count == 0:
        return np.zeros((network.n_edges, 0))
    solver = splu(csc_array(matrix.T @ matrix))
    basis = rng.normal(size=(network.n_edges, count))
    for _ in range(2):  # twice is enough to project to rounding
        basis = np.linalg.qr(basis - matrix @ solver.solve(matrix.T @ basis))[0]
    return basis


def _pinned(network: Network) -> tuple[csc_array, np.ndarray]:
    """The rigidity matrix without as many coordinates as there are rigid motions, chosen to stop them all."""
    motions = rigid_motions(network)
    order = qr(motions, mode="r", pivoting=True)[-1]
    free = np.sort(np.asarray(order)[len(motions) :])
    return csc_array(csc_array(rigidity_matrix(network))[:, free]), free
