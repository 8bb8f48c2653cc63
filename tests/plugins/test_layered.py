"""Layered networks against SciPy, brute force and the closed forms of Scellier et al. 2022, arXiv:2205.15021."""

from itertools import pairwise

import numpy as np
import pytest
from sandbox_aeqprop import AEqprop
from sandbox_layered import Hopfield, Layered, Resistive
from sandbox_layered.connections import Conv, Dense
from sandbox_layered.parts import ConvConnection, DenseConnection, diode_box
from sandbox_layered.portrait import fields
from scipy.optimize import minimize
from scipy.signal import correlate2d

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.errors import BoundaryError, NetworkError, SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import NotConverged, Status
from sandbox.physics.knobs import Knobs, balance
from sandbox.physics.laws import CONDUCTANCE
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.terminals import Terminals

SAME = 1e-7
"""Of states and energies of order 1 from L-BFGS-B, whose projected gradient ends near 1e-9."""

ROUNDING = 1e-12

IMAGES = ([1, 8, 8], [3, 3, 3], 5)
"""An image, three maps after a kernel of 3 and pooling over 2, and five outputs."""


def dense(sizes=(6, 9, 4), gains=(1.5,), seed=0, **settings):
    return Hopfield(gains=gains, **settings).build(Layered(layers=sizes).build(RNG()), RNG(seed))


def conv(gains=(1.5, 1.2), seed=0, **settings):
    connections = (ConvConnection(type="conv", kernel=3, image=(1, 8, 8)), DenseConnection())
    part = Hopfield(gains=gains, connections=connections, **settings)
    return part.build(Layered(layers=IMAGES).build(RNG()), RNG(seed))


def resistive(sizes=(6, 8, 5, 3), gains=(2.0,), seed=0, **settings):
    return Resistive(gains=gains, **settings).build(Layered(layers=sizes).build(RNG()), RNG(seed))


def RNG(seed=0):  # noqa: N802 (a constructor)
    return np.random.default_rng(seed)


MAKERS = {"dense": dense, "deep": lambda **k: dense((5, 7, 6, 4), **k), "conv": conv}


def with_biases(system, seed=5):
    """(P,) stiffnesses of a system, its biases drawn at random."""
    theta = np.array(system.stiffness)
    for name, where in system.stiffness_groups.items():
        if name.startswith("biases"):
            theta[where] = RNG(seed).normal(0, 0.3, len(theta[where]))
    return theta


def nudged(system, beta=0.4, batch=3, seed=1):
    """A boundary with clamped inputs and outputs on springs."""
    net = system.network
    rng = RNG(seed)
    boundary = Boundary.free(net.n_nodes, 1, batch).clamp(
        net.nodes("input"), rng.random((batch, len(net.nodes("input"))))
    )
    outputs = net.nodes("output")
    return boundary.spring(outputs, np.eye(len(outputs))[rng.integers(0, len(outputs), batch)], beta)


# An independent account of the same physics, from explicit matrices.


def matrices(system, theta):
    """The (n, m) matrix of weights of every connection, and its biases (m,), by probing with unit vectors in NumPy."""
    found = []
    for number, wiring in enumerate(system.wirings, 1):
        kind = "weights" if f"weights {number}" in system.stiffness_groups else "conductances"
        w = theta[system.stiffness_groups[f"{kind} {number}"]]
        b = theta[system.stiffness_groups[f"biases {number}"]] if kind == "weights" else np.zeros(1)
        if isinstance(wiring, Dense):
            found.append((w.reshape(wiring.fans), b))
        else:
            found.append((conv_matrix(wiring, w), np.repeat(b, int(np.prod(wiring.post_shape[1:])))))
    return found


def conv_matrix(wiring, w):
    units = np.eye(int(np.prod(wiring.pre_shape)))
    return np.array([convolved(wiring, w, unit).ravel() for unit in units])


def convolved(wiring, w, image):
    """SciPy's correlation of every map with its kernels, then the mean over each window."""
    kernels = w.reshape(wiring.post_shape[0], wiring.pre_shape[0], wiring.kernel, wiring.kernel)
    pad, pool = wiring.padding, wiring.pooling
    maps = np.pad(image.reshape(wiring.pre_shape), ((0, 0), (pad, pad), (pad, pad)))
    _, rows, columns = wiring.post_shape
    out = np.zeros(wiring.post_shape)
    for channel, kernel in enumerate(kernels):
        full = sum(correlate2d(m, k, mode="valid") for m, k in zip(maps, kernel, strict=True))
        full = full[: rows * pool, : columns * pool]
        out[channel] = full.reshape(rows, pool, columns, pool).mean(axis=(1, 3))
    return out


def energy_of(system, parts, boundary, sample, s):
    """Energy and its gradient (N,) of one sample at s (N,), everything included; ``parts`` as `matrices` gives them."""
    slices = system.layers.slices
    k, t = boundary.spring_stiffness[:, 0], boundary.spring_targets[sample, :, 0]
    f = boundary.forces[sample, :, 0]
    energy, gradient = np.sum(k / 2 * (s - t) ** 2 - f * s), k * (s - t) - f
    for (w, b), pre, post in zip(parts, slices[:-1], slices[1:], strict=True):
        if system.layout.biased:
            energy -= s[pre] @ w @ s[post] + b @ s[post]
            gradient[pre] -= w @ s[post]
            gradient[post] -= s[pre] @ w + b
        else:
            difference = s[pre][:, None] - s[post]
            energy += np.sum(w / 2 * difference**2)
            gradient[pre] += np.sum(w * difference, axis=1)
            gradient[post] -= np.sum(w * difference, axis=0)
    if system.layout.biased:
        energy, gradient = energy + s @ s / 2, gradient + s
    return energy, gradient


def minimized(system, theta, boundary, sample):
    """State (N,) and energy by SciPy."""
    low, high = (np.concatenate(ends) for ends in zip(*system.box, strict=True))
    held, values = boundary.clamped[:, 0], boundary.values[sample, :, 0]
    low, high = np.where(held, values, low), np.where(held, values, high)
    start, parts = np.where(held, values, np.clip(0.0, low, high)), matrices(system, theta)
    found = minimize(
        lambda s: energy_of(system, parts, boundary, sample, s),
        start,
        jac=True,
        bounds=np.stack([low, high], axis=1),
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 10_000, "maxfun": 100_000},
    )
    return found.x, found.fun


# The wirings.


@pytest.mark.parametrize(("pooling", "padding"), [(1, 0), (2, 0), (2, 1), (3, 0)])
def test_convolution_is_scipys_correlation_and_the_mean_over_windows(pooling, padding):
    wiring = Conv((2, 9, 8), 4, kernel=3, pooling=pooling, padding=padding)
    rng = RNG(1)
    w, x = rng.normal(size=wiring.weights), rng.normal(size=(3, 2 * 9 * 8))
    expected = [convolved(wiring, w, image).ravel() for image in x]
    assert np.allclose(wiring.forward(w, wiring.unfold(x)), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("wiring", [Dense((5,), (7,)), Conv((2, 9, 8), 4, 3), Conv((2, 9, 8), 4, 3, 3, 1)])
def test_backward_and_outer_are_the_adjoints_of_forward(wiring):
    rng = RNG(2)
    x = rng.normal(size=(3, int(np.prod(wiring.pre_shape))))
    y = rng.normal(size=(3, int(np.prod(wiring.post_shape))))
    w = rng.normal(size=wiring.weights)
    through = np.vdot(wiring.forward(w, wiring.unfold(x)), y)
    assert np.vdot(x, wiring.backward(w, y)) == pytest.approx(through, rel=1e-12)
    outer = wiring.outer(wiring.unfold(x), y, np.empty(wiring.weights))
    assert outer @ w == pytest.approx(through, rel=1e-12)


# Equilibria.


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("beta", [0.0, 0.4, -0.4])
def test_hopfield_equilibrium_is_scipys_minimum(make, beta):
    system = make()
    theta, boundary = with_biases(system), nudged(system, beta)
    rest = system.relax(boundary, theta)
    for b in range(boundary.batch):
        state, energy = minimized(system, theta, boundary, b)
        assert rest.energy[b] == pytest.approx(energy, abs=SAME)
        assert np.allclose(rest.state[b, :, 0], state, rtol=0, atol=1e-5)  # energy to SAME is state to its root
        # The state itself is judged by its own forces, which SciPy's stopping rule does not reach.
        _, gradient = energy_of(system, matrices(system, theta), boundary, b, rest.state[b, :, 0])
        low, high = (np.concatenate(ends) for ends in zip(*system.box, strict=True))
        s = rest.state[b, :, 0]
        projected = s - np.clip(s - gradient, low, high)
        assert np.abs(projected[~boundary.clamped[:, 0]]).max() < 1e-9


def test_any_components_can_be_clamped_and_forces_push():
    system = dense((4, 6, 5, 3), gains=(0.7,))
    theta = with_biases(system)
    rng = RNG(4)
    boundary = Boundary.free(18, 1, 2).clamp([0, 1, 5, 12], rng.random((2, 4)))
    boundary = boundary.push([2, 7, 16], rng.normal(size=(2, 3)) / 5).spring([3], [[0.3], [0.5]], 0.7)
    # Input units have no box, so free ones show that the outside force is met.
    rest = system.relax(boundary, theta)
    assert np.array_equal(rest.state[:, [0, 1, 5, 12], 0], boundary.values[:, [0, 1, 5, 12], 0])
    for b in range(2):
        state, energy = minimized(system, theta, boundary, b)
        assert rest.energy[b] == pytest.approx(energy, abs=SAME)
        assert np.allclose(rest.state[b, :, 0], state, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [*MAKERS.values(), resistive], ids=[*MAKERS, "resistive"])
def test_a_batch_is_its_samples_one_by_one(make):
    system = make()
    theta, boundary = with_biases(system), nudged(system, batch=4)
    together = system.relax(boundary, theta, tolerance=1e-13)
    for b in range(4):
        alone = system.relax(boundary.sample(b), theta, tolerance=1e-13)
        assert np.allclose(alone.state[0], together.state[b], rtol=0, atol=ROUNDING)
        assert alone.energy[0] == pytest.approx(together.energy[b], abs=ROUNDING)
        assert alone.iterations[0] == together.iterations[b]


@pytest.mark.parametrize("make", [*MAKERS.values(), resistive], ids=[*MAKERS, "resistive"])
def test_stiffness_force_is_the_slope_of_the_energy(make):
    system = make()
    theta, boundary = with_biases(system), nudged(system)
    rest = system.relax(boundary, theta, tolerance=1e-13)
    step = 1e-4  # the energy is linear in the stiffness, so that only rounding counts
    for p in RNG(3).choice(len(theta), 12, replace=False):
        energies = []
        for sign in (1, -1):
            moved = theta.copy()
            moved[p] += sign * step
            parts = matrices(system, moved)
            energies.append(np.mean([energy_of(system, parts, boundary, b, rest.state[b, :, 0])[0] for b in range(3)]))
        assert rest.stiffness_force[p] == pytest.approx((energies[0] - energies[1]) / (2 * step), abs=1e-9)


# Free stiffnesses.


def compliances(system, scale=1.0):
    """(P,), another for each group."""
    eps = np.empty(len(system.stiffness))
    for number, where in enumerate(system.stiffness_groups.values()):
        eps[where] = scale * 0.02 / (1 + number)
    return eps


def alternated(system, knobs, boundary, rounds=400):
    """Joint minimum by brute force: states at held stiffnesses, stiffnesses at held states, over and over."""
    theta, start = knobs.values, None
    for _ in range(rounds):
        rest = system.relax(boundary, theta, tolerance=1e-13, start=start)
        theta = np.clip(knobs.values - knobs.compliance * rest.stiffness_force, *system.bounds)
        start = rest.state
    return theta, start


@pytest.mark.parametrize("make", [*MAKERS.values(), resistive], ids=[*MAKERS, "resistive"])
def test_joint_minimum_is_that_of_brute_force(make):
    system = make()
    boundary = nudged(system)
    knobs = Knobs(with_biases(system), compliances(system))
    end = system.relax(boundary, knobs=knobs, tolerance=1e-12)
    theta, state = alternated(system, knobs, boundary)
    assert np.allclose(end.stiffness, theta, rtol=0, atol=1e-10)
    assert np.allclose(end.state, state, rtol=0, atol=1e-9)
    assert np.abs(end.stiffness - knobs.values).max() > 1e-4
    assert end.curvature_bound.min() > 0


@pytest.mark.parametrize("make", [dense, lambda **k: dense((5, 7, 6, 4), **k)], ids=["dense", "deep"])
def test_weights_left_uncomputed_end_where_computed_ones_do(make):
    system = make()
    boundary, eps = nudged(system), compliances(system)
    u = with_biases(system)
    by_overlaps = system.relax(boundary, knobs=Knobs(u, eps), tolerance=1e-12)
    uneven = eps * (1 + 1e-13 * RNG().random(len(eps)))  # compliances that differ in the last digits only
    computed = system.relax(boundary, knobs=Knobs(u, uneven), tolerance=1e-12)
    assert np.allclose(by_overlaps.stiffness, computed.stiffness, rtol=0, atol=1e-11)
    assert np.allclose(by_overlaps.state, computed.state, rtol=0, atol=1e-10)
    assert by_overlaps.curvature_bound[0] == pytest.approx(computed.curvature_bound[0], rel=1e-6)
    assert np.array_equal(by_overlaps.iterations, computed.iterations)


@pytest.mark.parametrize("make", [*MAKERS.values(), resistive], ids=[*MAKERS, "resistive"])
def test_joint_energy_falls_in_every_sweep(make):
    system = make()
    boundary = nudged(system)
    knobs = Knobs(with_biases(system), compliances(system, 10))
    energies = []
    for sweeps in range(1, 25):
        end = system.relax(boundary, knobs=knobs, max_iterations=sweeps, throw=False)
        energies.append(knobs.energy(end.stiffness) + end.energy.mean())
    assert np.all(np.diff(energies) <= 1e-13)
    assert energies[0] - energies[-1] > 1e-6


def test_once_is_states_at_held_stiffnesses_and_then_one_relaxation_of_the_stiffnesses():
    system = dense(stiffness_relaxations="once")
    boundary, eps, theta = nudged(system), compliances(system), with_biases(system)
    u = theta + 0.01 * RNG(6).normal(size=len(theta))
    end = system.relax(boundary, theta, knobs=Knobs(u, eps))
    rest = system.relax(boundary, theta)
    assert np.array_equal(end.state, rest.state)
    assert np.allclose(end.stiffness, u - eps * rest.stiffness_force, rtol=0, atol=1e-15)


@pytest.mark.parametrize("make", [dense, conv])
def test_single_precision_is_double_precision_to_its_tolerance(make):
    single, double = (make(stiffness_relaxations="once", precision=p) for p in ("single", "double"))
    boundary, eps, theta = nudged(double), compliances(double), with_biases(double)
    # Equal compliances are let go in one pass, unequal ones in several.
    for compliance in (eps, np.full_like(eps, 0.2)):
        ends = [s.relax(boundary, theta, knobs=Knobs(theta, compliance), tolerance=1e-5) for s in (single, double)]
        assert ends[0].state.dtype == ends[0].stiffness.dtype == ends[0].stiffness_force.dtype == float
        for name in ("state", "stiffness", "stiffness_force", "energy"):
            assert np.allclose(getattr(ends[0], name), getattr(ends[1], name), rtol=1e-5, atol=3e-5), name
    with pytest.raises(BoundaryError, match="precision = 'double'"):
        single.relax(boundary, theta, tolerance=1e-7)
    with pytest.raises(NetworkError, match="stiffness_relaxations = 'once'"):
        make(precision="single")


def test_what_inputs_send_follows_the_inputs_and_the_stiffnesses():
    system = dense()
    theta, one, two = with_biases(system), nudged(system), nudged(system, seed=2)
    other = theta * 1.1
    for array in (theta, other):
        array.flags.writeable = False
    for boundary in (one, one, two, one):
        for kept in (theta, theta, other):
            again = system.relax(boundary, kept)
            assert np.array_equal(again.state, dense().relax(boundary, kept.copy()).state)


def test_free_weights_stop_at_their_bound():
    system = dense(weight_bound=0.5, gains=(0.8,))
    boundary, low_high = nudged(system), system.bounds
    knobs = Knobs(with_biases(system), np.full(len(system.stiffness), 0.3))
    end = system.relax(boundary, knobs=knobs, tolerance=1e-12)
    theta, _ = alternated(system, knobs, boundary)
    at_bound = (end.stiffness == low_high[0]) | (end.stiffness == low_high[1])
    assert at_bound.any()
    assert np.allclose(end.stiffness, theta, rtol=0, atol=1e-10)


# Learning: one step from the closed forms.


def tensors(system):
    """Of every connection, T (weights, n, m): its energy is -sum_k w_k pre T_k post. And which bias each unit has."""
    found = []
    for wiring in system.wirings:
        units = np.eye(wiring.weights)
        if isinstance(wiring, Dense):
            table = units.reshape(wiring.weights, *wiring.fans)
        else:
            table = np.array([conv_matrix(wiring, unit) for unit in units])
        found.append((table, np.repeat(np.arange(wiring.post_shape[0]), int(np.prod(wiring.post_shape[1:])))))
    return found


class ClosedForms:
    """States by sweeps and stiffnesses by products of coordinates, written from the paper: three layers, no more."""

    def __init__(self, system, x, y):
        self.groups, self.tensors = system.stiffness_groups, tensors(system)
        self.x, self.y = x, y
        self.hidden, self.outputs = np.zeros((len(x), system.layers.sizes[1])), np.zeros_like(y)

    def sweep(self, theta, beta):
        """Hidden units, then outputs; the largest change."""
        (t1, b1), (t2, b2) = self.tensors
        w1, w2 = (np.einsum("k,kij->ij", theta[self.groups[f"weights {n}"]], t) for n, t in ((1, t1), (2, t2)))
        hidden = np.clip(self.x @ w1 + self.outputs @ w2.T + theta[self.groups["biases 1"]][b1], 0, 1)
        pulled = hidden @ w2 + theta[self.groups["biases 2"]][b2] + beta * self.y
        outputs = np.clip(pulled / (1 + beta), -1, 2)
        change = max(np.abs(hidden - self.hidden).max(), np.abs(outputs - self.outputs).max())
        self.hidden, self.outputs = hidden, outputs
        return change

    def slopes(self):
        """(P,) mean dE/dtheta."""
        (t1, b1), (t2, b2) = self.tensors
        count, batch = max(part.stop for part in self.groups.values()), len(self.x)
        slope = np.zeros(count)
        slope[self.groups["weights 1"]] = -np.einsum("kij,bi,bj->k", t1, self.x, self.hidden) / batch
        slope[self.groups["weights 2"]] = -np.einsum("kij,bi,bj->k", t2, self.hidden, self.outputs) / batch
        slope[self.groups["biases 1"]] = -np.bincount(b1, self.hidden.mean(axis=0))
        slope[self.groups["biases 2"]] = -np.bincount(b2, self.outputs.mean(axis=0))
        return slope

    def step(self, theta, eps, beta, joint):
        """Stiffnesses after a centered step."""
        while self.sweep(theta, -beta / 2) > 1e-12:
            pass
        u = theta + eps * self.slopes()
        new = theta
        while True:
            change = self.sweep(new, beta / 2)
            if joint:
                new = u - eps * self.slopes()
            if change <= 1e-12:
                return u - eps * self.slopes()


@pytest.mark.parametrize("mode", ["joint", "once"])
@pytest.mark.parametrize("make", [dense, conv], ids=["dense", "conv"])
def test_a_centered_step_is_the_closed_form(make, mode):
    system = make(stiffness_relaxations=mode)
    theta, eps = with_biases(system), compliances(system)
    net, rng = system.network, RNG(8)
    outputs = net.nodes("output")
    x, y = rng.random((4, len(net.nodes("input")))), np.eye(len(outputs))[rng.integers(0, len(outputs), 4)]
    apparatus = Apparatus(
        system, Terminals.at(net.nodes("input")), Terminals.at(outputs), compliance=eps, stiffness=theta, knobs=theta
    )
    AEqprop(variant="centered", beta=0.5).step(Bench(apparatus), x, y)
    expected = ClosedForms(system, x, y).step(theta, eps, 0.5, mode == "joint")
    assert np.abs(expected - theta).max() > 1e-4
    assert np.allclose(apparatus.stiffness, expected, rtol=0, atol=1e-8)
    assert np.abs(apparatus.stiffness - expected).max() < 1e-8 * np.abs(expected - theta).max() / 1e-4


@pytest.mark.parametrize("make", [dense, conv, resistive], ids=["dense", "conv", "resistive"])
def test_the_lyapunov_function_falls_in_every_step(make):
    system = make(gains=(0.8,))  # one minimum of the states: descent is promised for the lowest one
    net, rng, beta = system.network, RNG(9), 0.4
    inputs, outputs = net.nodes("input"), net.nodes("output")
    x, y = rng.random((4, len(inputs))), rng.random((4, len(outputs)))
    apparatus = Apparatus(system, Terminals.at(inputs), Terminals.at(outputs), compliance=compliances(system))

    def lyapunov():
        ends = []
        for sign in (-1, 1):
            boundary = Boundary.free(net.n_nodes, 1, 4).clamp(inputs, x).spring(outputs, y, sign * beta / 2)
            ends.append(system.relax(boundary, apparatus.stiffness, tolerance=1e-12).energy.mean())
        return (ends[1] - ends[0]) / beta

    values = [lyapunov()]
    for _ in range(8):
        AEqprop(variant="centered", beta=beta).step(Bench(apparatus), x, y)
        values.append(lyapunov())
    assert np.all(np.diff(values) < 0)
    assert apparatus.meter.unstable == 0


def test_held_stiffnesses_that_are_at_no_minimum_are_noticed_and_left():
    system = dense()
    boundary = nudged(system)
    theta = with_biases(system)
    rest = system.relax(boundary, theta)
    met = {}
    for size in (0.05, 5.0):
        eps = np.full(len(theta), size)
        knobs = Knobs(balance(theta, rest.stiffness_force, eps, "quadratic"), eps)
        look = system.relax(boundary, knobs=knobs, start=rest.state, tolerance=1e-6, max_iterations=1, throw=False)
        met[size] = look
    assert met[0.05].converged.all()
    assert met[0.05].curvature_bound[0] > 0
    assert set(met[5.0].status) == {Status.SINGULAR}
    assert met[5.0].curvature_bound[0] < 0
    left = system.relax(boundary, knobs=knobs, start=rest.state, tolerance=1e-6)
    assert left.indefinite[0] > 0
    held = rest.energy.mean() + knobs.energy(theta)
    assert left.energy.mean() + knobs.energy(left.stiffness) < held - 1e-6


def test_the_curvature_is_that_of_finite_differences():
    system = dense((3, 4, 2), gains=(0.5,))
    boundary, u = nudged(system), with_biases(system)
    u[system.stiffness_groups["biases 1"]] = 0.4  # hidden units inside their box
    knobs = Knobs(u, np.full(len(u), 0.05))
    end = system.relax(boundary, knobs=knobs, tolerance=1e-13)
    low, high = (np.concatenate(ends) for ends in zip(*system.box, strict=True))
    s = end.state[..., 0]
    free = (s > low) & (s < high) & ~boundary.clamped[:, 0]
    tables = tensors(system)

    def eliminated(x):
        """The sum over samples of the energy, stiffnesses at their minimum."""
        states = s.copy()
        states[free] = x
        slices = system.layers.slices
        slope = np.concatenate(
            [
                part
                for (table, _), pre, post in zip(tables, slices[:-1], slices[1:], strict=True)
                for part in (
                    -np.einsum("kij,bi,bj->k", table, states[:, pre], states[:, post]) / 3,
                    -states[:, post].mean(axis=0),
                )
            ]
        )
        theta = u - knobs.compliance * slope
        parts = matrices(system, theta)
        return sum(energy_of(system, parts, boundary, b, states[b])[0] for b in range(3)) + 3 * knobs.energy(theta)

    n, step = int(free.sum()), 1e-3
    hessian = np.zeros((n, n))
    shift = step * np.eye(n)
    for i in range(n):
        for j in range(i, n):
            corners = [
                eliminated(s[free] + a * shift[i] + b * shift[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            hessian[i, j] = hessian[j, i] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step**2)
    lowest = np.linalg.eigvalsh(hessian)[0]
    # A Ritz value: above the eigenvalue, by less than the Lanczos stop of 1 % leaves.
    assert lowest - 1e-6 <= end.curvature_bound[0] <= lowest + 0.05


# Exact gradients.


@pytest.mark.parametrize("make", [*MAKERS.values(), resistive], ids=[*MAKERS, "resistive"])
def test_sensitivity_is_that_of_finite_differences(make):
    system = make()
    theta, boundary, outputs = with_biases(system), nudged(system, 0.3), system.network.nodes("output")
    weight = RNG(7).normal(size=(boundary.batch, len(outputs)))

    def cost(at):
        rest = system.relax(boundary, at, tolerance=1e-14, max_iterations=5000)
        return rest, np.mean(np.sum(weight * rest.state[:, outputs, 0] ** 2, axis=1) / 2)

    rest, _ = cost(theta)
    pull = np.zeros_like(rest.state)
    pull[:, outputs, 0] = weight * rest.state[:, outputs, 0]
    gradient = system.sensitivity(rest, boundary, pull)
    step = 1e-5
    for name, where in system.stiffness_groups.items():
        strongest = where.start + np.argsort(-np.abs(gradient[where]))[:3]
        for p in strongest:
            change = np.zeros(len(theta))
            change[p] = step
            slope = (cost(theta + change)[1] - cost(theta - change)[1]) / (2 * step)
            assert gradient[p] == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_sensitivity_wants_an_equilibrium_and_a_gradient_that_fits():
    system = dense()
    boundary = nudged(system)
    rest = system.relax(boundary)
    with pytest.raises(BoundaryError, match="cost gradient has shape"):
        system.sensitivity(rest, boundary, rest.state[:1])
    short = system.relax(boundary, max_iterations=1, throw=False)
    with pytest.raises(NotConverged):
        system.sensitivity(short, boundary, rest.state)


# Resistive networks.


def as_material(system):
    """The same conductors as an explicit list of edges, without diodes."""
    slices, edges, k = system.layers.slices, [], []
    for number, (pre, post) in enumerate(pairwise(slices), 1):
        i, j = np.meshgrid(np.arange(pre.start, pre.stop), np.arange(post.start, post.stop), indexing="ij")
        edges.append(np.stack([i.ravel(), j.ravel()], axis=1))
        k.append(system.stiffness[system.stiffness_groups[f"conductances {number}"]])
    net = Network(system.network.positions, np.concatenate(edges))
    return Material(net, CONDUCTANCE, {"k": np.concatenate(k)})


def test_a_resistive_network_without_diodes_is_a_flow_network():
    system = resistive(diodes=False)
    boundary = nudged(system, 0.4)
    material = as_material(system)
    ours = system.relax(boundary, tolerance=1e-13, max_iterations=20_000)
    theirs = material.relax(boundary)
    assert np.allclose(ours.state, theirs.state, rtol=0, atol=1e-9)
    assert np.allclose(ours.energy, theirs.energy, rtol=0, atol=1e-9)
    assert np.allclose(ours.stiffness_force, theirs.stiffness_force, rtol=0, atol=1e-9)


@pytest.mark.parametrize("beta", [0.4, -0.2])
def test_a_resistive_network_with_diodes_is_scipys_minimum(beta):
    system = resistive()
    net = system.network
    rng = RNG(3)
    boundary = Boundary.free(net.n_nodes, 1, 3).clamp(net.nodes("input"), rng.normal(size=(3, 6)))
    boundary = boundary.spring(net.nodes("output"), rng.normal(size=(3, 3)), beta)
    rest = system.relax(boundary)
    hidden = rest.state[:, system.layers.slices[1], 0]
    assert np.all(hidden[:, :4] >= 0)
    assert np.all(hidden[:, 4:] <= 0)
    assert np.any(hidden == 0)
    assert np.any(hidden[:, :4] > 0)
    for b in range(3):
        state, energy = minimized(system, system.stiffness, boundary, b)
        assert rest.energy[b] == pytest.approx(energy, abs=SAME)
        assert np.allclose(rest.state[b, :, 0], state, rtol=0, atol=1e-5)


def test_diodes_of_an_odd_layer():
    low, high = diode_box(5)
    assert low.tolist() == [0, 0, 0, -np.inf, -np.inf]
    assert high.tolist() == [np.inf] * 3 + [0, 0]


# The graph.


def test_layers_are_groups_of_nodes_and_images_are_grids():
    net = Layered(layers=([2, 3, 4], 30, 5)).build(RNG())
    assert [len(net.nodes(f"layer {n}")) for n in (1, 2, 3)] == [24, 30, 5]
    assert np.array_equal(net.nodes("input"), np.arange(24))
    assert np.array_equal(net.nodes("output"), np.arange(54, 59))
    assert net.n_edges == 0
    x = net.positions
    assert len(np.unique(x, axis=0)) == 59  # no node on another
    image = x[:12].reshape(3, 4, 2)
    assert np.allclose(np.diff(image, axis=1), [1, 0])
    assert np.allclose(np.diff(image, axis=0), [0, -1])
    right = [x[net.nodes(f"layer {n}"), 0].max() for n in (1, 2)]
    left = [x[net.nodes(f"layer {n}"), 0].min() for n in (2, 3)]
    assert np.all(np.array(left) > np.array(right))


# The parts.


def test_stiffness_groups_follow_the_connections():
    assert dense((4, 3, 2)).stiffness_groups == {
        "weights 1": slice(0, 12),
        "biases 1": slice(12, 15),
        "weights 2": slice(15, 21),
        "biases 2": slice(21, 23),
    }
    assert conv().stiffness_groups["biases 1"] == slice(27, 30)  # one for each channel
    assert resistive((4, 3, 2)).stiffness_groups == {"conductances 1": slice(0, 12), "conductances 2": slice(12, 18)}


def test_stiffnesses_begin_as_documented():
    system = dense((60, 80, 40), gains=(0.8, 1.2))
    for name, gain, units in (("weights 1", 0.8, 140), ("weights 2", 1.2, 120)):
        w, reach = system.stiffness[system.stiffness_groups[name]], gain * np.sqrt(6 / units) / 2
        assert np.abs(w).max() <= reach
        assert w.std() == pytest.approx(reach / np.sqrt(3), rel=0.03)  # uniform; thousands of draws
    assert np.all(system.stiffness[system.stiffness_groups["biases 1"]] == 0)
    connection = ConvConnection(type="conv", kernel=5, image=(4, 9, 9))
    images = build(([4, 9, 9], [60, 2, 2]), Hopfield(gains=(0.6,), connections=(connection,)))
    kernels = images.stiffness[images.stiffness_groups["weights 1"]]
    assert kernels.std() == pytest.approx(0.6 / 2 / np.sqrt(4 * 25), rel=0.05)
    g = resistive((60, 80, 40), minimum=1e-3).stiffness
    assert g.min() == 1e-3
    assert g.max() <= 2.0 / np.sqrt(60)


def test_weights_are_shown_as_images_where_they_are():
    w = RNG().normal(size=9 * 4)
    assert np.array_equal(fields(Dense((9,), (4,)), w)[2], w.reshape(9, 4)[:, 2].reshape(3, 3))
    assert fields(Dense((8,), (4,)), RNG().normal(size=32)) is None
    kernels = RNG().normal(size=3 * 2 * 9)
    assert np.array_equal(fields(Conv((2, 6, 6), 3, 3), kernels)[1], kernels.reshape(3, 2, 3, 3)[1, 0])


@pytest.mark.parametrize(("system", "panels"), [(dense((9, 5, 2)), 5), (dense((8, 5, 2)), 2), (resistive(), 3)])
def test_the_portrait_has_a_panel_for_every_connection(system, panels):
    part = Resistive() if not system.layout.biased else Hopfield()
    figure = part.portrait(system, system.stiffness, 1.5 * system.stiffness)
    assert len(figure.axes) == panels  # two boards and a colour bar, where there are images, and the histograms
    figure.canvas.draw()
    counts = figure.axes[-1].patches[0].get_data().values
    assert counts.sum() == system.wirings[-1].weights


# Bad input.


def build(layers, part):
    return part.build(Layered(layers=layers).build(RNG()), RNG())


@pytest.mark.parametrize(
    ("layers", "connections", "message"),
    [
        ((6, 5, 4), [{"type": "dense"}], "3 layers take 2 connections; 1 are given"),
        ((64, 27), [{"type": "conv", "kernel": 3}], "layer 1, which has no images"),
        ((64, 27), [{"type": "conv", "kernel": 3, "image": [1, 8, 9]}], r"images \[1, 8, 9\], 72 units"),
        ((64, 28), [{"type": "conv", "kernel": 3, "image": [1, 8, 8]}], "no multiple of 9"),
        ((64, 27), [{"type": "conv", "kernel": 9, "image": [1, 8, 8]}], "kernel of 9 .* does not fit"),
    ],
)
def test_connections_that_do_not_fit_are_named(layers, connections, message):
    with pytest.raises(NetworkError, match=message):
        build(layers, Hopfield(connections=connections))


def test_networks_and_gains_that_do_not_fit_are_named():
    with pytest.raises(NetworkError, match="needs a network with the groups 'layer 1'"):
        Hopfield().build(Network(np.zeros((3, 2)) + np.arange(3)[:, None], np.zeros((0, 2), int)), RNG())
    swapped = Network(
        np.arange(8.0).reshape(4, 2), np.zeros((0, 2), int), groups={"layer 1": [2, 3], "layer 2": [0, 1]}
    )
    with pytest.raises(NetworkError, match="ascending order"):
        Hopfield().build(swapped, RNG())
    with pytest.raises(NetworkError, match="gains has 3 values; the network has 2 connections"):
        build((4, 4, 2), Hopfield(gains=(1.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match="hidden: the lower state"):
        Hopfield(hidden=(1.0, 0.0))


def test_what_a_layered_network_does_not_take_is_refused():
    system = dense()
    boundary, theta = nudged(system), np.abs(system.stiffness) + 0.1
    eps = np.full(len(theta), 0.1)
    with pytest.raises(BoundaryError, match="no springs across pairs"):
        system.relax(boundary.pair_spring([[0, 1]], 0.5, 1.0))
    with pytest.raises(BoundaryError, match=r"stiffness -1 on unit 0 of layer 3 leaves it the stiffness 0"):
        system.relax(nudged(system, -1.0))
    with pytest.raises(BoundaryError, match="leaves it the stiffness 0"):
        system.relax(nudged(system, -1.0), knobs=Knobs(theta, eps))
    with pytest.raises(BoundaryError, match="quadratic knobs; got 'log'"):
        system.relax(boundary, knobs=Knobs(theta, eps, "log"))
    with pytest.raises(BoundaryError, match="no method 'newton'"):
        system.relax(boundary, method="newton")
    with pytest.raises(BoundaryError, match="stiffnesses have shape"):
        system.relax(boundary, theta[1:])
    with pytest.raises(BoundaryError, match="boundary is for 3 nodes"):
        system.relax(Boundary.free(3, 1))
    with pytest.raises(BoundaryError, match="start must be finite and of shape"):
        system.relax(boundary, start=np.zeros((3, 2, 1)))


def test_statuses_are_honest():
    system = dense()
    boundary = nudged(system)
    short = system.relax(boundary, max_iterations=2, throw=False)
    assert set(short.status) == {Status.OUT_OF_ITERATIONS}
    with pytest.raises(NotConverged):
        system.relax(boundary, max_iterations=2)
    broken = np.array(system.stiffness)
    broken[0] = np.nan
    assert set(system.relax(boundary, broken, throw=False).status) == {Status.NOT_FINITE}
    with pytest.raises(SandboxError):
        system.relax(boundary, broken)
