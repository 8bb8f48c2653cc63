"""Method "petsc" against our own minimum; skipped by name where there is no petsc4py that this Python can import."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

import sandbox
from sandbox.errors import SandboxError
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.graphs import jittered_grid, triangular
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import CONDUCTANCE, SPRING
from sandbox.physics.relaxation import METHODS, petsc


@pytest.fixture
def there() -> None:
    """Asked for by tests that need PETSc."""
    try:
        petsc.library()
    except SandboxError as error:
        pytest.skip(str(error))


def stretched(shape: tuple[int, int], stretch: float) -> tuple[sandbox.Material, sandbox.Boundary]:
    """A triangular lattice, left edge held, right edge on rollers and displaced: clamps of one component."""
    network = triangular(shape)
    x = network.positions[:, 0]
    left, right = np.flatnonzero(x < 0.25), np.flatnonzero(x > x.max() - 0.25)
    boundary = sandbox.Boundary.free(network.n_nodes, 2).clamp(left, network.positions[left])
    boundary = boundary.clamp(right, network.positions[right, :1] + stretch, [0])
    return sandbox.Material(network, SPRING, {"k": 1.0, "l": 1.0}), boundary


def flow() -> tuple[sandbox.Material, sandbox.Boundary]:
    network = jittered_grid(20, seed=1)
    k = np.random.default_rng(2).lognormal(0.0, 1.0, network.n_edges)
    boundary = sandbox.Boundary.free(network.n_nodes, 1, batch=2).clamp(
        [0, 399], np.array([[[0.0], [1.0]], [[2.0], [0.5]]])
    )
    return sandbox.Material(network, CONDUCTANCE, {"k": k}), boundary


def assert_same(one: Equilibrium, other: Equilibrium) -> None:
    assert one.method == "petsc" != other.method
    assert one.converged.all()
    np.testing.assert_allclose(one.state, other.state, atol=1e-9)
    np.testing.assert_allclose(one.energy, other.energy, rtol=1e-12)
    np.testing.assert_allclose(one.stiffness_force, other.stiffness_force, rtol=1e-8, atol=1e-10)
    assert (one.curvature_bound > 0).all()


@pytest.mark.usefixtures("there")
def test_a_batch_of_flows() -> None:
    material, boundary = flow()
    assert_same(*(material.relax(boundary, tolerance=1e-11, method=m) for m in ("petsc", "newton")))


@pytest.mark.usefixtures("there")
def test_a_stretched_lattice_on_rollers() -> None:
    material, boundary = stretched((24, 14), 3.0)
    assert_same(*(material.relax(boundary, tolerance=1e-11, method=m) for m in ("petsc", "newton")))


@pytest.mark.usefixtures("there")
def test_free_stiffnesses() -> None:
    material, boundary = stretched((10, 6), 1.0)
    knobs = Knobs(material.stiffness, np.full(material.network.n_edges, 0.2))
    one, other = (material.relax(boundary, knobs=knobs, tolerance=1e-11, method=m) for m in ("petsc", "newton"))
    assert_same(one, other)
    np.testing.assert_allclose(one.stiffness, other.stiffness, rtol=1e-9)


@pytest.mark.usefixtures("there")
def test_a_saddle_is_left() -> None:
    """A straight chain under pressure buckles: it starts where all forces vanish and curvature is negative."""
    n = 8
    positions = np.column_stack([np.linspace(0.0, 0.8 * (n - 1), n), np.zeros(n)])
    network = sandbox.Network(positions, np.array([[i, i + 1] for i in range(n - 1)]))
    material = sandbox.Material(network, SPRING, {"k": 1.0, "l": 1.0})
    ends = np.array([0, n - 1])
    boundary = sandbox.Boundary.free(n, 2).clamp(ends, positions[ends])
    rest = material.relax(boundary, method="petsc", throw=False)
    assert rest.indefinite[0] > 0
    assert np.abs(rest.state[0, :, 1]).max() > 0.1  # bent
    assert rest.energy[0] < 1e-10  # to where no spring is compressed; a chain of joints is floppy there
    assert rest.status[0] in (Status.CONVERGED, Status.SINGULAR)


@pytest.mark.usefixtures("there")
def test_the_same_bits_again() -> None:
    material, boundary = stretched((12, 8), 2.0)
    one, other = (material.relax(boundary, method="petsc") for _ in range(2))
    np.testing.assert_array_equal(one.state, other.state)


def test_without_petsc_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.split(".")[0] == "petsc4py":
            raise ImportError("No module named 'petsc4py'")
        return real(name, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(builtins, "__import__", without)
    material, boundary = stretched((4, 4), 0.1)
    with pytest.raises(SandboxError, match=r"needs petsc4py, .*matter-sandbox\[petsc\]"):
        material.relax(boundary, method="petsc")


def test_it_is_never_picked() -> None:
    material, boundary = stretched((4, 4), 0.1)
    assert material.relax(boundary).method != "petsc"
    assert list(METHODS)[-1] == "petsc"


@pytest.mark.usefixtures("there")
def test_what_petsc_holds_is_freed() -> None:
    from tests.faults.memory import resident

    material, boundary = stretched((24, 14), 3.0)
    material.relax(boundary, method="petsc")
    before = resident()
    for _ in range(10):
        material.relax(boundary, method="petsc")
    assert resident() - before < 2e6  # 60 MB where petsc4py is left to collect
