import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sandbox.errors import BoundaryError, NetworkError, SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import Diverged, Drive, Method, simulate, thermal_velocities
from sandbox.physics.graphs.lattices import cubic, square, triangular
from sandbox.physics.laws import ONSITE, SPRING, EdgeLaw
from sandbox.physics.material import Material
from sandbox.physics.modes import normal_modes
from sandbox.physics.network import Network

FREQUENCY = 1e-4
"""Relative error of a measured frequency; the time step alone shifts it by (omega*dt)**2/24 <= 5e-5."""

METHODS: tuple[Method, Method] = ("by sample", "by node")

QUARTIC = EdgeLaw("k/2*d**2 + q/4*d**4", ("k", "q"))


def chain(n: int) -> Network:
    shifts = np.zeros((n, 1))
    shifts[-1] = n
    edges = np.stack([np.arange(n), np.roll(np.arange(n), -1)], axis=1)
    return Network(np.arange(n)[:, None], edges, shifts, np.array([[float(n)]]))


def springs(network: Network, *, linearized: bool = False, disorder: float = 0.0) -> Material:
    rng = np.random.default_rng(7)
    k = 1.0 + disorder * rng.uniform(-1, 1, network.n_edges)
    return Material(network, SPRING, {"k": k, "l": network.lengths()}, linearized=linearized)


def forces(material: Material, boundary: Boundary, x: np.ndarray) -> np.ndarray:
    """NumPy's forces at states (B, N, D): edges and external forces; independent of the kernels."""
    i, j = material.network.edges.T
    dim = material.components
    pull = material.tension(x)[..., None]
    if material.law.variable == "d":
        vectors = pull
    elif material.geometry == "projection":
        vectors = pull * material.frame(boundary.pairs)[: len(i), :dim]
    else:
        gaps = material.network.bond_vectors(x)
        vectors = pull * gaps / np.linalg.norm(gaps, axis=-1, keepdims=True)
    total = boundary.forces.copy()
    for sample, vector in zip(total, vectors, strict=True):
        np.add.at(sample, i, vector)
        np.subtract.at(sample, j, vector)
    return total


def measured_frequency(q: np.ndarray, interval: float) -> np.ndarray:
    """Of harmonic signals (T, B): cos obeys q(t + h) + q(t - h) = 2 cos(omega*h) q(t); least squares."""
    cosine = np.sum(q[1:-1] * (q[2:] + q[:-2]), axis=0) / (2 * np.sum(q[1:-1] ** 2, axis=0))
    return np.arccos(cosine) / interval


def lattice_modes(network: Network, k: float, mass: float, integers: list[tuple[int, ...]]):
    """Closed-form modes exp(i q.x): wave vectors, polarizations and frequencies from the small dynamical matrix."""
    assert network.cell is not None
    bonds = network.bond_vectors()
    first = (network.edges == 0).any(axis=1)  # every node is like node 0; each of its bonds seen from there
    around = np.where((network.edges[first, 0] == 0)[:, None], bonds[first], -bonds[first])
    n = around / np.linalg.norm(around, axis=1, keepdims=True)
    modes = []
    for whole in integers:
        q = 2 * np.pi * np.linalg.solve(network.cell, np.array(whole, dtype=float))
        matrix = np.einsum("b,bi,bj->ij", k / mass * (1 - np.cos(around @ q)), n, n)
        for square_, polarization in zip(*np.linalg.eigh(matrix), strict=True):
            if square_ > 1e-9:
                polarization = np.asarray(polarization)
                modes.append((q, polarization, np.sqrt(square_)))
    return modes


class TestDispersion:
    @pytest.mark.parametrize("linearized", [True, False])
    def test_chain(self, linearized):
        n, k, mass = 16, 1.7, 0.6
        network = chain(n)
        material = Material(network, SPRING, {"k": k, "l": 1.0}, linearized=linearized)
        waves = 2 * np.pi * np.arange(1, n // 2 + 1) / n
        exact = 2 * np.sqrt(k / mass) * np.abs(np.sin(waves / 2))
        shapes = np.cos(waves[:, None] * np.arange(n))[..., None]
        step = 0.03 / exact.max()
        run = simulate(
            material,
            Boundary.free(n, 1, len(waves)),
            masses=mass,
            time_step=step,
            steps=12000,
            start=material.rest_state() + 1e-6 * shapes,
            every=30,
        )
        u = np.sum((run.positions - material.rest_state()) * shapes, axis=(-2, -1))
        np.testing.assert_allclose(measured_frequency(u, 30 * step), exact, rtol=FREQUENCY)

    @pytest.mark.parametrize("linearized", [True, False])
    @pytest.mark.parametrize("lattice", ["square", "triangular", "cubic"])
    def test_lattices(self, lattice, linearized):
        network = {
            "square": lambda: square((6, 6), periodic=True, diagonals=True),
            "triangular": lambda: triangular((6, 4), periodic=True),
            "cubic": lambda: cubic((3, 4, 3), periodic=True),
        }[lattice]()
        k, mass = 2.3, 1.4
        integers = {"cubic": [(1, 1, 1), (0, 1, 1), (0, 2, 0)]}.get(lattice, [(1, 0), (0, 1), (2, 1), (3, 2)])
        modes = lattice_modes(network, k, mass, integers)
        material = Material(network, SPRING, {"k": k, "l": network.lengths()}, linearized=linearized)
        x = material.rest_state()
        shapes = np.stack([np.cos(x @ q)[:, None] * polarization for q, polarization, _ in modes])
        exact = np.array([omega for _, _, omega in modes])
        step = 0.03 / exact.max()
        run = simulate(
            material,
            Boundary.free(len(x), x.shape[1], len(modes)),
            masses=mass,
            time_step=step,
            steps=3000,
            start=x + 1e-6 * shapes,
            every=30,
        )
        u = np.sum((run.positions - x) * shapes, axis=(-2, -1))
        np.testing.assert_allclose(measured_frequency(u, 30 * step), exact, rtol=FREQUENCY)

    def test_modes_of_a_disordered_network_under_clamps_and_springs(self):
        network = triangular((4, 2))
        material = springs(network, linearized=True, disorder=0.5)
        masses = np.random.default_rng(3).uniform(0.5, 2, network.n_nodes)
        boundary = (
            Boundary.free(network.n_nodes, 2)
            .clamp(network.nodes("left"), network.positions[network.nodes("left")])
            .spring([5], network.positions[[5]], 0.7)
            .pair_spring([[3, 12]], np.linalg.norm(network.positions[3] - network.positions[12]), 0.4)
        )
        modes = normal_modes(material, boundary, masses=masses)
        x = material.rest_state()
        samples = Boundary(
            **{
                name: np.repeat(value, len(modes.frequencies), axis=0)
                if name in ("values", "forces", "spring_targets", "pair_targets")
                else value
                for name, value in vars(boundary).items()
            }
        )
        step = 0.03 / modes.frequencies.max()
        run = simulate(
            material,
            samples,
            masses=masses,
            time_step=step,
            steps=6000,
            start=x + 1e-3 * modes.shapes,
            every=30,
        )
        u = np.sum((run.positions - x) * modes.shapes * masses[:, None], axis=(-2, -1))
        np.testing.assert_allclose(measured_frequency(u, 30 * step), modes.frequencies, rtol=FREQUENCY)


def reference(material, boundary, masses, damping, x, v, time):
    """solve_ivp at tight tolerance; free nodes only."""
    shape = x.shape

    def rate(_, y):
        position, velocity = y.reshape(2, *shape)
        a = forces(material, boundary, position) / masses[:, None] - damping * velocity
        return np.concatenate([velocity.ravel(), a.ravel()])

    y = np.concatenate([x.ravel(), v.ravel()])
    result = solve_ivp(rate, (0, time), y, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    return result.reshape(2, *shape)


@pytest.mark.parametrize("damping", [0.0, 0.8])
@pytest.mark.parametrize("kind", ["true geometry", "quartic"])
def test_second_order_in_the_time_step(kind, damping):
    network = triangular((2, 1))
    rng = np.random.default_rng(11)
    quartic = Material(network, QUARTIC, {"k": 1.0, "q": 2.0})
    material = quartic if kind == "quartic" else springs(network, disorder=0.5)
    boundary = Boundary.free(network.n_nodes, material.components).push([1], 0.3)
    masses = rng.uniform(0.5, 2, network.n_nodes)
    x = material.rest_state()[None] + 0.2 * rng.normal(size=(1, network.n_nodes, material.components))
    v = 0.2 * rng.normal(size=x.shape)
    time, counts = 6.0, np.array([80, 160, 320, 640])
    exact = reference(material, boundary, masses, damping, x, v, time)
    errors = []
    for steps in counts:
        end = simulate(
            material,
            boundary,
            masses=masses,
            time_step=time / steps,
            steps=int(steps),
            start=x,
            velocities=v,
            damping=damping,
            record=(),
        ).final
        errors.append(max(np.abs(end.positions - exact[0]).max(), np.abs(end.velocities - exact[1]).max()))
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(slope - 2) < 0.1
    assert errors[-1] < 1e-3


def test_energy_does_not_drift():
    """10^5 steps of a hot nonlinear network: the energy error of Verlet is bounded by (omega*dt)**2 and has no trend.

    Trend by linear regression in each of 16 independent samples; their scatter is the standard error. (Within one
    sample the error wanders as energy moves between modes, over times that approach the run's, so that blocks of one
    run are not independent.)
    """
    network = triangular((2, 2), periodic=True)
    boundary = Boundary.free(network.n_nodes, 2, 16)
    v = thermal_velocities(boundary, temperature=0.01, seed=5)
    run = simulate(
        springs(network, disorder=0.3),
        boundary,
        time_step=0.06,
        steps=100_000,
        velocities=v,
        every=20,
        record=("energy",),
    )
    error = (run.energy - run.energy[0]) / run.kinetic.mean(axis=0)
    assert np.abs(error).max() < 0.01  # omega up to 3: (omega*dt)**2/4
    t = np.linspace(-1, 1, len(error))
    slopes = t @ error / (t @ t)
    standard_error = slopes.std(ddof=1) / np.sqrt(len(slopes))
    assert standard_error < 2e-5
    assert abs(slopes.mean()) < 4 * standard_error
    assert np.abs(slopes).max() < 2e-4


def test_momentum_is_kept():
    network = square((5, 5), periodic=True, diagonals=True)
    boundary = Boundary.free(25, 2)
    v = thermal_velocities(boundary, temperature=0.02, seed=1)
    run = simulate(springs(network), boundary, time_step=0.1, steps=2000, velocities=v, every=100)
    total = run.velocities.sum(axis=2)
    np.testing.assert_allclose(total, np.broadcast_to(total[:1], total.shape), rtol=0, atol=1e-12)


class TestLangevin:
    def test_equipartition(self):
        """Potential T/2 per free component, exactly so for BAOAB; kinetic T/2*(1 - (omega*dt)**2/4) per mode
        (Leimkuhler & Matthews 2013, eq. 21 onwards).

        The standard error is that of the means of 64 independent samples, each averaged over some 200 correlation
        times 1/damping after discarding 20; no assumption on correlations is needed.
        """
        network = triangular((4, 2))
        material = springs(network, linearized=True, disorder=0.4)
        masses = np.random.default_rng(2).uniform(0.5, 2, network.n_nodes)
        boundary = Boundary.free(network.n_nodes, 2, 64)
        left = network.nodes("left")
        boundary = boundary.clamp(left, network.positions[left])
        temperature, step = 0.3, 0.25
        run = simulate(
            material,
            boundary,
            masses=masses,
            time_step=step,
            steps=6000,
            damping=0.15,
            temperature=temperature,
            seed=42,
            every=2,
            record=("energy", "velocities"),
        )
        free = boundary.clamped.size - boundary.clamped.sum()
        late = len(run.steps) // 10
        modes = normal_modes(material, boundary, masses=masses)
        share = 1 - (modes.frequencies * step) ** 2 / 4
        expected = {"potential": temperature / 2 * free, "kinetic": temperature / 2 * share.sum()}
        assert share.min() < 0.9  # the time step is long, so that its effect is far beyond the statistical error
        for name, value in expected.items():
            samples = getattr(run, name)[late:].mean(axis=0)
            error = samples.std(ddof=1) / np.sqrt(len(samples))
            assert error < 0.005 * value
            assert abs(samples.mean() - value) < 4 * error, name
        # Each component on its own, with unequal masses; 64 samples of 200 correlation times: 1.3 % standard error.
        each = (masses[:, None] * run.velocities[late:] ** 2).mean(axis=(0, 1)) / temperature
        exact = np.einsum("a,anc->nc", share, modes.shapes**2) * masses[:, None]
        np.testing.assert_allclose(each[~boundary.clamped], exact[~boundary.clamped], rtol=0, atol=0.05)

    def test_temperature_of_each_sample(self):
        network = square((4, 4), periodic=True)
        material = springs(network, linearized=True)
        temperature = np.array([0.0, 0.1, 0.4] * 8)
        run = simulate(
            material,
            Boundary.free(16, 2, 24),
            time_step=0.1,
            steps=4000,
            damping=0.5,
            temperature=temperature,
            every=10,
            record="energy",
        )
        kinetic = run.kinetic[100:].mean(axis=0) / 16
        assert (kinetic[::3] == 0).all()
        np.testing.assert_allclose(kinetic[1::3].mean(), 0.1, rtol=0.02)
        np.testing.assert_allclose(kinetic[2::3].mean(), 0.4, rtol=0.02)

    def test_diffusion_of_a_free_particle(self):
        """Without forces: mean square displacement 2*D*t with D = T/(m*damping), once t >> 1/damping."""
        network = Network(np.zeros((500, 1)) + np.arange(500)[:, None], np.zeros((0, 2), dtype=int))
        material = Material(network, SPRING, {"k": 1.0, "l": 1.0})
        m, gamma, temperature, time = 0.7, 2.0, 0.3, 100.0
        boundary = Boundary.free(500, 1, 8)
        v = thermal_velocities(boundary, temperature=temperature, masses=m, seed=3)
        end = simulate(
            material,
            boundary,
            masses=m,
            velocities=v,
            time_step=0.1,
            steps=1000,
            damping=gamma,
            temperature=temperature,
            seed=3,
            record=(),
        ).final
        moved = (end.positions - material.rest_state()).ravel()
        exact = 2 * temperature / (m * gamma) * (time - (1 - np.exp(-gamma * time)) / gamma)
        assert abs(np.mean(moved**2) / exact - 1) < 4 * np.sqrt(2 / moved.size)

    def test_thermal_velocities(self):
        boundary = Boundary.free(2000, 3, 4).clamp([0], 0.0)
        masses = np.linspace(1, 3, 2000)
        v = thermal_velocities(boundary, temperature=[0.0, 1.0, 2.0, 2.0], masses=masses, seed=9)
        assert (v[:, 0] == 0).all()
        assert (v[0] == 0).all()
        energy = (masses[:, None] * v**2)[:, 1:].mean(axis=(1, 2))
        np.testing.assert_allclose(energy[1:], [1, 2, 2], rtol=4 * np.sqrt(2 / 6000))
        assert not np.isclose(v[2, 1:], v[3, 1:]).any()


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.9, 5.0])
def test_damped_oscillator(gamma):
    k, m, x0, v0 = 1.3, 0.8, 0.4, -0.2
    network = Network(np.array([[0.0], [1.0]]), np.array([[0, 1]]))
    material = Material(network, SPRING, {"k": k, "l": 1.0})
    boundary = Boundary.free(2, 1).clamp([0], 0.0)
    run = simulate(
        material,
        boundary,
        masses=m,
        time_step=1e-3,
        steps=10_000,
        start=np.array([[[0.0], [1 + x0]]]),
        velocities=np.array([[[0.0], [v0]]]),
        damping=gamma,
        every=500,
    )
    root = np.sqrt(complex(gamma**2 / 4 - k / m))
    t = run.times
    x = np.exp(-gamma * t / 2) * (x0 * np.cosh(root * t) + (v0 + gamma / 2 * x0) * np.sinh(root * t) / root)
    np.testing.assert_allclose(run.positions[:, 0, 1, 0], 1 + x.real, rtol=0, atol=1e-6)  # (omega*dt)**2
    assert (run.positions[:, 0, 0] == 0).all()
    assert (run.velocities[:, 0, 0] == 0).all()


@pytest.mark.parametrize("damping", [0.0, 0.4])
def test_shaken_wall(damping):
    network = square((4, 2), diagonals=True)
    material = springs(network, disorder=0.3)
    n, x = network.n_nodes, network.positions
    left, right = network.nodes("left"), network.nodes("right")
    boundary = Boundary.free(n, 2, 2).clamp(left, x[left]).clamp(right, x[right, 1], components=[1])
    drives = [
        Drive(left, amplitude=[0.05, 0.1], frequency=[0.2, 0.11], phase=[0.0, 0.7], direction=[1.0, 0.5]),
        Drive(right, amplitude=0.02, frequency=0.3, direction=[0, 1]),
    ]
    # Walls as functions of time, and the rest by solve_ivp.
    free = ~boundary.clamped
    directions = np.zeros((2, n, 2))
    directions[0][left], directions[1][right] = [1.0, 0.5], [0.0, 1.0]

    def walls(t, b):
        a = (0.05, 0.1)[b] * np.sin(2 * np.pi * (0.2, 0.11)[b] * t + (0.0, 0.7)[b])
        return x + a * directions[0] + 0.02 * np.sin(2 * np.pi * 0.3 * t) * directions[1]

    def wall_speed(t, b):
        omega = 2 * np.pi * (0.2, 0.11)[b]
        a = (0.05, 0.1)[b] * omega * np.cos(omega * t + (0.0, 0.7)[b])
        return a * directions[0] + 0.02 * 0.6 * np.pi * np.cos(0.6 * np.pi * t) * directions[1]

    def rate(t, y, b):
        position = walls(t, b)
        position[free], velocity = y[: free.sum()], y[free.sum() :]
        a = forces(material, boundary.sample(b), position[None])[0][free] - damping * velocity
        return np.concatenate([velocity, a])

    step = 0.005
    run = simulate(material, boundary, time_step=step, steps=3000, drive=drives, damping=damping, every=300)
    for b in range(2):
        y = np.concatenate([x[free], np.zeros(free.sum())])
        exact = solve_ivp(rate, (0, 15), y, "DOP853", run.times, rtol=1e-11, atol=1e-11, args=(b,)).y.T
        motion = np.concatenate([run.positions[:, b][:, free], run.velocities[:, b][:, free]], axis=1)
        np.testing.assert_allclose(motion, exact, rtol=0, atol=2e-5)  # 2 * (omega*dt)**2 * amplitude, omega up to 3
        for t, position, velocity in zip(run.times, run.positions[:, b], run.velocities[:, b], strict=True):
            np.testing.assert_allclose(position[~free], walls(t, b)[~free], rtol=0, atol=1e-14)
            np.testing.assert_allclose(velocity[~free], wall_speed(t, b)[~free], rtol=0, atol=1e-14)


def everything(kind: str, batch: int = 3):
    """A system that uses every feature, with the keywords of its run."""
    network = {
        "1D": lambda: chain(12),
        "2D": lambda: triangular((4, 3), periodic=True),
        "2D linearized": lambda: triangular((4, 3), periodic=True),
        "3D": lambda: cubic((3, 3, 3), periodic=True),
        "differences": lambda: square((5, 5), diagonals=True),
        "open": lambda: triangular((4, 3)),
    }[kind]()
    rng = np.random.default_rng(5)
    common = {"linearized": "linearized" in kind, "node_law": ONSITE, "node_parameters": {"k": 0.1, "b": 0.05}}
    if kind == "differences":
        material = Material(network, QUARTIC, {"k": rng.uniform(0.5, 1.5, network.n_edges), "q": 0.3}, **common)
    else:
        k = rng.uniform(0.5, 1.5, network.n_edges)
        material = Material(network, SPRING, {"k": k, "l": network.lengths()}, **common)
    x, dim = material.rest_state(), material.components
    values = x[[0, 1]] + rng.normal(size=(batch, 2, dim)) * 0.01
    boundary = (
        Boundary.free(len(x), dim, batch)
        .clamp([0, 1], values)
        .push([4, 9], rng.normal(size=(batch, 2, dim)) * 0.1)
        .spring([5, 6], x[[5, 6]] + rng.normal(size=(batch, 2, dim)) * 0.1, 0.3)
        .pair_spring([[2, 7], [8, 3], [2, 3]], rng.uniform(0.5, 2, (batch, 3)), 0.2)
    )
    options = {
        "masses": rng.uniform(0.5, 2, len(x)),
        "time_step": 0.05,
        "damping": rng.uniform(0, 0.5, len(x)),
        "temperature": 0.02,
        "seed": 2**63 + 5,
        "drive": Drive([0], 0.1, rng.uniform(0.1, 0.3, batch), phase=0.4),
        "velocities": np.where(boundary.clamped, 0.0, 0.1 * rng.normal(size=(batch, len(x), dim))),
    }
    return material, boundary, options


KINDS = ["1D", "2D", "2D linearized", "3D", "differences", "open"]


def same(a, b) -> bool:
    arrays = ("positions", "velocities", "potential", "kinetic", "times")
    ends = (a.final.positions, b.final.positions), (a.final.velocities, b.final.velocities)
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in arrays) and all(
        np.array_equal(*pair) for pair in ends
    )


class TestBitForBit:
    @pytest.mark.parametrize(("kind", "bath"), [*((k, "langevin") for k in KINDS), ("2D", "friction"), ("2D", "none")])
    def test_by_sample_and_by_node(self, kind, bath):
        material, boundary, options = everything(kind)
        if bath != "langevin":
            options["temperature"] = 0.0
        if bath == "none":
            options["damping"] = 0.0
        runs = [simulate(material, boundary, **options, steps=50, every=7, method=method) for method in METHODS]
        assert same(*runs)
        assert len(runs[0].times) == 8
        assert runs[0].final.step == 50

    @pytest.mark.parametrize("method", METHODS)
    def test_what_is_recorded_changes_nothing(self, method):
        material, boundary, options = everything("2D")
        full = simulate(material, boundary, **options, steps=40, method=method)
        for every, record in ((1, ()), (3, ("energy",)), (11, ("positions",)), (40, ("velocities",))):
            part = simulate(material, boundary, **options, steps=40, method=method, every=every, record=record)
            np.testing.assert_array_equal(part.final.positions, full.final.positions)
            np.testing.assert_array_equal(part.final.velocities, full.final.velocities)
            for name in record:
                np.testing.assert_array_equal(getattr(part, name), getattr(full, name)[::every])
        np.testing.assert_array_equal(full.positions[-1], full.final.positions)
        np.testing.assert_array_equal(full.velocities[-1], full.final.velocities)

    @pytest.mark.parametrize("kind", ["2D", "differences"])
    @pytest.mark.parametrize("method", METHODS)
    def test_batch_is_one_by_one(self, kind, method):
        material, boundary, options = everything(kind)
        whole = simulate(material, boundary, **options, steps=30, method=method)
        drive = options["drive"]
        for b in range(3):
            one = simulate(
                material,
                boundary.sample(b),
                **{
                    **options,
                    "velocities": options["velocities"][b : b + 1],
                    "drive": Drive(drive.nodes, drive.amplitude, drive.frequency[b], drive.phase),
                },
                samples=[b],
                steps=30,
                method=method,
            )
            for name in ("positions", "velocities", "potential", "kinetic"):
                np.testing.assert_array_equal(getattr(one, name)[:, 0], getattr(whole, name)[:, b])

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("cut", [1, 13])
    def test_restart(self, method, cut):
        material, boundary, options = everything("2D")
        whole = simulate(material, boundary, **options, steps=40, method=method)
        first = simulate(material, boundary, **options, steps=cut, method=method).final
        options["velocities"] = first.velocities
        again = simulate(
            material,
            boundary,
            **options,
            start=first.positions,
            first_step=first.step,
            steps=40 - cut,
            method=method,
        )
        np.testing.assert_array_equal(again.positions, whole.positions[cut:])
        np.testing.assert_array_equal(again.velocities, whole.velocities[cut:])
        np.testing.assert_array_equal(again.energy, whole.energy[cut:])
        np.testing.assert_array_equal(again.times, whole.times[cut:])

    @pytest.mark.parametrize("method", METHODS)
    def test_long_runs_are_launched_in_parts(self, method: Method, monkeypatch):
        from sandbox.physics.dynamics import run as dynamics_run

        material, boundary, options = everything("1D")
        whole = simulate(material, boundary, **options, steps=50, every=3, method=method)
        monkeypatch.setattr(dynamics_run, "LAUNCH_SECONDS", 0.0)
        assert same(whole, simulate(material, boundary, **options, steps=50, every=3, method=method))

    def test_any_number_of_threads(self):
        here = Path(__file__).parent
        code = "import test_dynamics as t; print(t.digest())"
        digests = []
        for threads in ("1", "2", "5"):  # more than there are cores, perhaps
            environment = {**os.environ, "SANDBOX_THREADS": threads, "PYTHONWARNINGS": "ignore"}
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, check=True
            )
            digests.append(done.stdout.split()[-1])
        assert set(digests) == {digest()}


def digest() -> str:
    """Of a run large enough to keep many threads busy."""
    material = springs(triangular((30, 30), periodic=True), disorder=0.5)
    boundary = Boundary.free(1800, 2, 2)
    code = hashlib.sha256()
    for method in METHODS:
        run = simulate(
            material, boundary, time_step=0.1, damping=0.1, temperature=0.01, steps=60, every=20, method=method
        )
        for array in (run.positions, run.velocities, run.potential, run.kinetic):
            code.update(array.tobytes())
    return code.hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_energies_and_accelerations_agree_with_numpy(kind):
    material, boundary, options = everything(kind)
    rng = np.random.default_rng(8)
    start = material.rest_state() + 0.05 * rng.normal(size=boundary.values.shape)
    masses, step = options["masses"], 1e-3

    def potential(x):
        pairs = material.measure_pairs(x, boundary.pairs) - boundary.pair_targets
        outside = boundary.spring_stiffness / 2 * (x - boundary.spring_targets) ** 2 - boundary.forces * x
        return material.energy(x) + (boundary.pair_stiffness / 2 * pairs**2).sum(axis=-1) + outside.sum(axis=(-2, -1))

    run = simulate(
        material, boundary, masses=masses, start=start, velocities=options["velocities"], time_step=step, steps=1
    )
    for t in range(2):
        free = np.where(boundary.clamped, 0, run.velocities[t])
        np.testing.assert_allclose(run.potential[t], potential(run.positions[t]), rtol=1e-12)
        np.testing.assert_allclose(run.kinetic[t], (masses[:, None] / 2 * free**2).sum(axis=(-2, -1)), rtol=1e-12)
    x = run.positions[0]
    force = np.zeros_like(x)
    for node, c in np.argwhere(~boundary.clamped):
        shifted = np.zeros_like(x)
        shifted[:, node, c] = 1e-5
        force[:, node, c] = (potential(x - shifted) - potential(x + shifted)) / 2e-5
    moved = run.positions[1] - x - step * np.where(boundary.clamped, 0, options["velocities"])
    np.testing.assert_allclose(2 * moved / step**2 * masses[:, None], force, rtol=0, atol=1e-7)


class TestErrors:
    def setup_method(self):
        network = triangular((3, 2), periodic=True)
        self.material = springs(network)
        self.boundary = Boundary.free(network.n_nodes, 2, 2)

    def run(self, **options):
        return simulate(self.material, self.boundary, **{"time_step": 0.05, "steps": 3, **options})

    @pytest.mark.parametrize("method", METHODS)
    def test_too_large_a_time_step_is_named(self, method):
        material = springs(triangular((3, 2), periodic=True), linearized=True)
        v = np.zeros((2, 12, 2))
        v[1, 4, 0] = 1.0
        with pytest.raises(Diverged, match=r"node \d+ of sample 1 .* at step \d+; the time step 3 is beyond") as caught:
            simulate(material, self.boundary, time_step=3.0, steps=5000, velocities=v, method=method, record=())
        assert caught.value.sample == 1
        assert 100 < caught.value.step < 5000
        assert caught.value.stable == pytest.approx(2 / np.sqrt(6), rel=0.3)

    def test_divergence_is_seen_at_the_same_place_by_both_methods(self):
        material = springs(triangular((3, 2), periodic=True), linearized=True)
        v = np.zeros((2, 12, 2))
        v[1, 4, 0] = 1.0
        seen = []
        for method in METHODS:
            with pytest.raises(Diverged) as caught:
                simulate(material, self.boundary, time_step=3.0, steps=5000, velocities=v, method=method, record=())
            seen.append((caught.value.sample, caught.value.node, caught.value.step))
        assert seen[0] == seen[1]

    def test_leaving_the_range_of_a_law(self):
        finite = EdgeLaw("-k*sqrt(1 - (r - 1)**2)", ("k",))  # a bond that cannot stretch to twice its length
        network = Network(np.array([[0.0, 0], [1, 0]]), np.array([[0, 1]]))
        v = np.array([[[-9.0, 0], [9, 0]]])
        with pytest.raises(Diverged, match="left the range of the law") as caught:
            simulate(Material(network, finite, {"k": 1.0}), Boundary.free(2, 2), time_step=0.5, steps=99, velocities=v)
        assert caught.value.stable == pytest.approx(np.sqrt(2))  # both nodes move: omega**2 = 2*k/m

    def test_memory(self):
        with pytest.raises(SandboxError, match=r"would take 0\.8 GB; the limit is 0\.1 GB.*every"):
            self.run(steps=1_000_000, memory_limit=100_000_000)

    def test_a_drive_needs_a_clamp(self):
        with pytest.raises(BoundaryError, match=r"node 1 is driven .* not clamped"):
            self.run(drive=Drive([1], 0.1, 1.0))
        self.boundary = self.boundary.clamp([1], 0.0, components=[1])
        with pytest.raises(BoundaryError, match=r"node 1 is driven .* not clamped"):
            self.run(drive=Drive([1], 0.1, 1.0))
        self.run(drive=Drive([1], 0.1, 1.0, direction=[0, 1]))
        with pytest.raises(BoundaryError, match="driven twice"):
            self.run(drive=[Drive([1], 0.1, 1.0, direction=[0, 1])] * 2)
        with pytest.raises(BoundaryError, match="nodes of a drive"):
            self.run(drive=Drive([99], 0.1, 1.0))
        with pytest.raises(BoundaryError, match="frequency of a drive"):
            self.run(drive=Drive([1], 0.1, [1.0] * 3, direction=[0, 1]))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"temperature": 1.0}, "needs damping"),
            ({"temperature": -1.0, "damping": 1.0}, "temperature must be"),
            ({"damping": [1.0, 2.0]}, "damping has shape"),
            ({"masses": 0.0}, "mass 0"),
            ({"masses": [1.0, 2.0]}, "masses have shape"),
            ({"time_step": 0.0}, "time step is 0"),
            ({"time_step": np.nan}, "time step is nan"),
            ({"steps": -1}, "steps is -1"),
            ({"steps": 1.5}, r"steps is 1\.5"),
            ({"every": 0}, "every is 0"),
            ({"seed": 2**64}, "seed"),
            ({"record": ("momenta",)}, "cannot record 'momenta'"),
            ({"method": "quickly"}, "unknown method"),
            ({"samples": [1, 2, 3]}, "samples are numbered"),
            ({"velocities": np.zeros((1, 12, 2))}, "velocities have shape"),
            ({"velocities": np.full((2, 12, 2), np.nan)}, "velocity of sample 0 is not finite at node 0"),
            ({"start": np.zeros((3, 12, 2))}, "start has shape"),
            ({"stiffness": np.ones(3)}, "stiffnesses have shape"),
        ],
    )
    def test_what_does_not_fit_is_named(self, options, message):
        with pytest.raises(SandboxError, match=message):
            self.run(**options)

    def test_a_box_has_no_dynamics(self):
        network = triangular((3, 2), periodic=True)
        self.material = Material(network, SPRING, {"k": 1.0, "l": 1.0}, box=(0.0, 1.0))
        with pytest.raises(NetworkError, match="box"):
            self.run()

    def test_what_was_not_recorded_is_named(self):
        run = self.run(record=("energy",))
        assert run.energy.shape == (4, 2)
        with pytest.raises(SandboxError, match="did not record 'positions'"):
            _ = run.positions
        assert "4 times of 2 samples" in repr(run)

    def test_no_steps_at_all(self):
        run = self.run(steps=0)
        assert run.positions.shape == (1, 2, 12, 2)
        assert run.final.step == 0
