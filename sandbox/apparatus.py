"""The apparatus: a system with terminals, knobs and a homeostat, on which an experiment is made.

This is the experimenter's side, which owns everything. A controller is handed a port onto it, see
:mod:`sandbox.bench`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from sandbox.errors import BoundaryError, SandboxError
from sandbox.events import Events, Kind
from sandbox.imperfections import Flaws, Imperfections
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, NotConverged, Status
from sandbox.physics.knobs import Coupling, Knobs, balance
from sandbox.physics.material import Material
from sandbox.physics.relaxation.replay import Replayed, Stream, Tape, can_replay, replay
from sandbox.physics.system import MAX_ITERATIONS, TOLERANCE, System, relaxes_jointly
from sandbox.shown import Shown
from sandbox.terminals import Terminals

Homeostat = Literal["ideal", "integral"]

INTEGRAL_GAIN = 0.7
"""Part of the drift that the integral homeostat takes back at a time. The response of a stiffness to its knob is
1/(1 - rho) >= 1, rho < 1 measuring how near the joint energy is to losing convexity; when drift grows the gain is
halved."""

INTEGRAL_ROUNDS = 2000

GRIP = 100.0
"""Stiffness of the springs that clamp an output pair: its distance is wanted, its place is not."""

LOOK_TOLERANCE = 1e-6
"""On the force when the curvature of the joint energy is looked at. The state has come to rest before, to this, or to
the tolerance of relaxations if that is wider."""

INWARD = 1e-3
"""How far inside its bounds a stiffness at a bound is looked at, in units of LOOK_TOLERANCE and the largest stiffness.
The joint energy has a kink there, and rounding would
decide on which side of it the look falls."""


RUNAWAY = 1e3
"""A knob this many times the largest stiffness as built has run away. The knob of a stiffness theta rests at theta +
compliance*force, and what the theory says of a step holds while that is near theta."""


class Unsettled(SandboxError):  # noqa: N818 (it names an outcome, as NotConverged does)
    """An integral homeostat that did not come to rest."""


@dataclass
class Meter:
    """What an experiment has cost so far.

    Attributes:
        relaxations: of a sample's state (a batch of B counts B times).
        iterations: evaluations of the forces in them.
        linear_solves: with the Hessian, for exact gradients: one for each sample.
        seconds: spent relaxing and solving.
        unstable: phases in which the joint energy of state and stiffness was seen not to be convex: a clamped phase
            met negative curvature, or held stiffnesses were not at a minimum. Lyapunov descent is not promised there;
            lower the compliance, or the nudging.
        at_bounds: stiffnesses that sat at a bound after the last release, or as built.
    """

    relaxations: int = 0
    iterations: int = 0
    linear_solves: int = 0
    seconds: float = 0.0
    unstable: int = 0
    at_bounds: int = 0


@dataclass(eq=False)
class Apparatus(Shown):
    """A system on the bench.

    Args:
        system: what relaxes.
        inputs, outputs: its terminals.
        surroundings: clamps and forces that are always there (a ground, a wall, a pin), a batch of one.
        compliance: of every stiffness, (P,) or one for all; 0 for those that no controller may move.
        coupling: of knobs and stiffnesses, ``"quadratic"`` or ``"log"``.
        homeostat: ``"ideal"``, a servo of infinite gain; or ``"integral"``, which reads the stiffnesses and moves the
            knobs against the drift, and uses nothing else.
        tolerance: of every relaxation, see :meth:`sandbox.physics.system.System.relax`.
        drift_tolerance: of the integral homeostat, relative to the largest stiffness.
        fresh: whether new inputs are relaxed from the rest state, and not from where the last ones left the system.
            Where there are several minima, what is read then does not depend on what was done before.
        imperfections: of readings and knobs.
        rng: of the imperfections.
        events: loss of convexity, stiffnesses at bounds, knobs that run away, steps taken back. Strict ones are errors.

    Raises:
        BoundaryError: for terminals or surroundings that do not fit the system.
    """

    system: System
    inputs: Terminals
    outputs: Terminals
    surroundings: Boundary | None = None
    compliance: npt.ArrayLike = 1.0
    coupling: Coupling = "quadratic"
    homeostat: Homeostat = "ideal"
    tolerance: float = TOLERANCE
    drift_tolerance: float = 1e-11
    fresh: bool = False
    imperfections: Imperfections | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0), repr=False)
    stiffness: np.ndarray = field(default=None)  # type: ignore[assignment]
    knobs: np.ndarray = field(default=None)  # type: ignore[assignment]
    meter: Meter = field(default_factory=Meter)
    events: Events = field(default_factory=Events, repr=False)

    def __post_init__(self) -> None:
        system = self.system
        self.inputs.check(system, "input")
        self.outputs.check(system, "output")
        n, dim = system.network.n_nodes, system.components
        if self.surroundings is None:
            self.surroundings = Boundary.free(n, dim)
        if (self.surroundings.n_nodes, self.surroundings.components) != (n, dim) or self.surroundings.batch != 1:
            raise BoundaryError("the surroundings must be a batch of one on the same nodes as the system")
        self._check_overlaps()
        if self.homeostat not in ("ideal", "integral"):
            raise SandboxError(f"there is no homeostat {self.homeostat!r}; choose 'ideal' or 'integral'")
        self._bounded = bool(np.isfinite(system.bounds).any())
        self._runaway = RUNAWAY * float(np.abs(system.stiffness).max(initial=0.0))
        self.stiffness = system.stiffness.copy() if self.stiffness is None else np.array(self.stiffness, dtype=float)
        self.knobs = self.stiffness.copy() if self.knobs is None else np.array(self.knobs, dtype=float)
        self.compliance = Knobs(self.knobs, np.asarray(self.compliance, dtype=float), self.coupling).compliance
        self.meter.at_bounds = self._number_at_bounds(self.stiffness)
        flaws = self.imperfections
        self._flaws = None if flaws is None or flaws == Imperfections() else Flaws(flaws, len(self.stiffness), self.rng)
        self._checked_knobs = self.compliance, Knobs(self.knobs, self.true_compliance, self.coupling)
        self._inputs = np.zeros((1, len(self.inputs)))
        self._targets = np.zeros((1, len(self.outputs)))
        self._beta = 0.0
        self._gripped: np.ndarray | None = None
        self._boundary: Boundary | None = None
        self._settled: Equilibrium | None = None
        self._state: np.ndarray | None = None

    def _check_overlaps(self) -> None:
        """A place is held by one thing only, and an output must be free to move."""
        assert self.surroundings is not None
        held = self.surroundings.clamped.copy()
        driven = np.zeros_like(held)
        if self.inputs.kind == "pair":
            driven[self.inputs.nodes.ravel()] = True
        elif self.inputs.kind == "value":
            driven[self.inputs.nodes, self.inputs.component] = True
        both = np.flatnonzero((held & driven).any(axis=1))
        if len(both):
            raise BoundaryError(
                f"node {int(both[0])} is an input, and clamped by the surroundings too; drop one of them"
            )
        held |= driven
        if self.outputs.kind == "pair":
            stuck = held[self.outputs.nodes].all(axis=(1, 2))
        else:
            stuck = held[self.outputs.nodes, self.outputs.component]
        if stuck.any():
            place = self.outputs.nodes[int(np.argmax(stuck))].tolist()
            raise BoundaryError(f"the output at node {place} is clamped, so it can neither answer nor be nudged")

    @property
    def true_compliance(self) -> np.ndarray:
        """(P,) of every stiffness, with the gains of imperfect knobs."""
        compliance = np.asarray(self.compliance)
        return compliance * self._flaws.gains if self._flaws else compliance

    @property
    def mobility(self) -> np.ndarray:
        """(P,) how far each stiffness yields to a small force on it: the compliance in the metric of the coupling.

        ``eps`` for quadratic knobs, ``eps*theta**2`` for log knobs. Gains of imperfect knobs are not known here.
        """
        compliance = np.asarray(self.compliance)
        return compliance * self.stiffness**2 if self.coupling == "log" else compliance.copy()

    # What the experimenter does at the terminals.

    def clamp(self, inputs: npt.ArrayLike) -> None:
        """Set the inputs, (B, inputs) or (inputs,), of the B samples to come.

        Nudges stay on, targets given once for any number of samples; but targets given for several samples say
        nothing of another number of samples, and those springs come off.
        """
        self._inputs = _rows(inputs, len(self.inputs), "inputs")
        batch = len(self._inputs)
        if len(self._targets) not in (1, batch):
            self._targets = np.zeros((1, len(self.outputs)))
            self._beta = 0.0
        self._gripped = None
        if self.fresh:
            self._state = None
        self._boundary = self._settled = None

    def clamp_outputs(self, values: npt.ArrayLike | None) -> None:
        """Hold the outputs themselves at values, (B, outputs) or (outputs,); ``None``, or new inputs, let them go.

        Node components are clamped; the distance of a pair is held by a spring of stiffness :data:`GRIP`. Nudges are
        off while outputs are held.
        """
        if values is None:
            self._gripped = None
        else:
            rows = _rows(values, len(self.outputs), "outputs")
            if len(rows) not in (1, len(self._inputs)):
                raise BoundaryError(f"there are outputs for {len(rows)} samples; {len(self._inputs)} are clamped")
            self._gripped = rows
        self._boundary = self._settled = None

    def nudge(self, targets: npt.ArrayLike | None, beta: float) -> None:
        """Attach springs of stiffness beta from outputs to targets, (B, outputs) or (outputs,); 0 takes them off."""
        if not np.isfinite(beta):
            raise BoundaryError(f"the nudging strength must be finite; got {beta}")
        batch = len(self._inputs)
        if targets is None:
            if beta != 0:
                raise BoundaryError(f"nudging with beta = {beta} needs targets")
            rows = np.zeros((batch, len(self.outputs)))
        else:
            rows = _rows(targets, len(self.outputs), "targets")
        if len(rows) not in (1, batch):
            raise BoundaryError(f"there are targets for {len(rows)} samples; {batch} are clamped")
        self._targets = rows
        self._beta = float(beta)
        self._boundary = self._settled = None

    @property
    def imposed(self) -> tuple[np.ndarray, np.ndarray, float]:
        """What the first sample has now: inputs, (inputs,), targets, (outputs,), and the strength of nudging."""
        return self._inputs[0].copy(), self._targets[0].copy(), self._beta

    # Relaxations.

    @property
    def boundary(self) -> Boundary:
        """What is imposed now: surroundings, inputs and nudges."""
        if self._boundary is None:
            self._boundary = self._imposed(self._inputs, self._targets, self._beta)
        return self._boundary

    def _imposed(self, inputs: np.ndarray, targets: np.ndarray, beta: float) -> Boundary:
        base, batch = self.surroundings, len(inputs)
        assert base is not None
        if batch > 1:
            base = replace(
                base,
                values=np.repeat(base.values, batch, axis=0),
                forces=np.repeat(base.forces, batch, axis=0),
                spring_targets=np.repeat(base.spring_targets, batch, axis=0),
                pair_targets=np.repeat(base.pair_targets, batch, axis=0),
            )
        driven = self.inputs.drive(self.system, base, inputs)
        shape = (batch, len(self.outputs))
        if self._gripped is None:
            return self.outputs.nudge(driven, np.broadcast_to(targets, shape), beta)
        if self.outputs.kind == "pair":
            return self.outputs.nudge(driven, np.broadcast_to(self._gripped, shape), GRIP)
        return self.outputs.drive(self.system, driven, np.broadcast_to(self._gripped, shape))

    def settle(self) -> Equilibrium:
        """Relax the state at the present stiffnesses, unless it is at rest already."""
        if self._settled is None:
            self._settled = self._relax(None)
        return self._settled

    def hold(self) -> Equilibrium:
        """Homeostatic phase: the state relaxes, the stiffnesses stay, and the knobs end where they hold them there."""
        if self.homeostat == "ideal":
            rest = self.settle()
            self.knobs = balance(self.stiffness, rest.stiffness_force, self.true_compliance, self.coupling)
            if not self._holds(rest):
                self.meter.unstable += 1
                self.events.add(Kind.CONVEXITY, detail="held stiffnesses were not at a minimum")
        else:
            rest = self._hold_by_integral_control()
        if self._flaws:
            self.knobs = self._flaws.knobs(self.knobs, self.stiffness)
        self._look_for_runaways()
        return rest

    def _look_for_runaways(self) -> None:
        """One product of the knobs with themselves tells, in most cases, that none of them is far away."""
        if not np.dot(self.knobs, self.knobs) <= self._runaway**2:
            far = np.flatnonzero(np.abs(self.knobs) > self._runaway)
            if len(far):
                knob = int(far[np.argmax(np.abs(self.knobs[far]))])
                self.events.add(Kind.RUNAWAY, len(far), f"knob {knob} is at {self.knobs[knob]:.3g}")

    def release(self) -> Equilibrium:
        """Clamped phase: the knobs stay; stiffnesses and state relax together, and the stiffnesses are the new ones."""
        rest = self._relax(self._knobs())
        self.stiffness = rest.stiffness
        self.stiffness.flags.writeable = False  # a system may recognize it, and keep what it has computed of it
        self._settled = rest
        if rest.indefinite.any():
            self.meter.unstable += 1
            self.events.add(Kind.CONVEXITY, detail="a release met negative curvature")
        if self._flaws and self._flaws.settings.drift:
            self.stiffness = np.clip(self._flaws.drifted(self.stiffness), *self.system.bounds)
            self._settled = None
        self._count_at_bounds()
        return rest

    def _count_at_bounds(self) -> None:
        if not self._bounded:
            return
        before, self.meter.at_bounds = self.meter.at_bounds, self._number_at_bounds(self.stiffness)
        if self.meter.at_bounds > before:
            detail = f"{self.meter.at_bounds} of {len(self.stiffness)} stiffnesses are at a bound"
            self.events.add(Kind.SATURATION, self.meter.at_bounds - before, detail)

    def _number_at_bounds(self, stiffness: np.ndarray) -> int:
        if not self._bounded:
            return 0
        low, high = self.system.bounds
        # Log knobs end within a rounding of the bound.
        return int(((stiffness <= low * (1 + 1e-12)) | (stiffness >= high * (1 - 1e-12))).sum())

    def _holds(self, rest: Equilibrium) -> bool:
        """Whether the held stiffnesses and the state are at a minimum of the joint energy: one look, no iteration.

        An ideal servo can also hold what would slip away from its knobs; descent is promised for minima only.
        """
        if not relaxes_jointly(self.system):
            return True
        knobs = self._knobs()
        if self._bounded:
            low, high = self.system.bounds
            theta = self.stiffness
            size = INWARD * LOOK_TOLERANCE * float(np.abs(theta).max(initial=0.0))
            inward = size * ((theta <= low).astype(float) - (theta >= high))
            knobs = replace(knobs, values=knobs.values + inward) if inward.any() else knobs
        look = self.system.relax(
            self.boundary,
            self.stiffness,
            knobs=knobs,
            start=rest.state,
            tolerance=max(LOOK_TOLERANCE, self.tolerance),
            max_iterations=1,
            throw=False,
        )
        self.meter.iterations += int(look.iterations.sum())
        return bool(look.converged.all())

    def _hold_by_integral_control(self) -> Equilibrium:
        """Move each knob by the drift it must cancel, using readings of the stiffnesses only.

        A stiffness that its knob presses against a bound does not drift; its knob is left where it is.
        """
        if self._state is None:
            self.settle()  # let go from a state at rest: far from it the stiffnesses would be torn away
        wanted = self.stiffness.copy()
        gain, last = INTEGRAL_GAIN, np.inf
        for _ in range(INTEGRAL_ROUNDS):
            rest = self._relax(self._knobs())
            drift = rest.stiffness - wanted
            size = float(np.abs(drift).max(initial=0.0))
            if size <= self.drift_tolerance * float(np.abs(wanted).max(initial=0.0)):
                self._settled = rest
                return rest
            if size > last:
                gain /= 2
            last = size
            if self.coupling == "log":
                self.knobs = self.knobs * (wanted / rest.stiffness) ** gain
            else:
                self.knobs = self.knobs - gain * drift
        raise Unsettled(
            f"the integral homeostat did not settle in {INTEGRAL_ROUNDS} rounds (drift {last:.2e}); "
            "lower the compliance, or use homeostat = 'ideal'"
        )

    def _knobs(self) -> Knobs:
        given, knobs = self._checked_knobs
        if given is not self.compliance:
            self._checked_knobs = given, knobs = self.compliance, Knobs(self.knobs, self.true_compliance, self.coupling)
        return knobs.turned(self.knobs)

    def _relax(self, knobs: Knobs | None) -> Equilibrium:
        boundary = self.boundary
        warm = self._state if self._state is not None and self._state.shape == boundary.values.shape else None
        result = self._metered(boundary, knobs, warm)
        if warm is not None and not result.converged.all():
            # A warm start can lie on the wrong side of a fold; the rest state is the other thing to try.
            result = self._metered(boundary, knobs, None)
        if not result.converged.all():
            raise NotConverged(result)
        self._state = result.state
        return result

    def _metered(self, boundary: Boundary, knobs: Knobs | None, start: np.ndarray | None) -> Equilibrium:
        began = time.perf_counter()
        result = self.system.relax(
            boundary, self.stiffness, knobs=knobs, start=start, tolerance=self.tolerance, throw=False
        )
        if not isinstance(self.system, Material):
            _check_result(self.system, result, boundary)
        self.meter.seconds += time.perf_counter() - began
        self.meter.relaxations += len(result.status)
        self.meter.iterations += int(result.iterations.sum())
        return result

    def attempt(self, step: Callable[..., None], *arguments: object) -> SandboxError | None:
        """Do a step; if a relaxation in it does not converge, take it back, note the event, and return the error.

        Stiffnesses, knobs and state are then as they were; the meter goes on counting.

        Raises:
            NotConverged: where a number is not finite: that is no outcome to go on from.
            StrictError: if the events are strict.
        """
        before = self.stiffness, self.knobs, self._state
        try:
            step(*arguments)
        except (NotConverged, Unsettled) as error:
            if isinstance(error, NotConverged) and (error.report.status == Status.NOT_FINITE).any():
                raise
            self.stiffness, self.knobs, self._state = before
            self._boundary = self._settled = None
            detail = error.report.summary() if isinstance(error, NotConverged) else str(error)
            self.events.add(Kind.SKIPPED, detail=detail)
            return error
        return None

    # Many steps at once.

    def can_replay(self) -> bool:
        """Whether recorded steps can be replayed: a perfect servo on edges, few enough for the fused relaxation.

        A strict run does its steps one by one, so that it ends in the step of the first event.
        """
        return (
            not self.events.strict
            and self._flaws is None
            and self.homeostat == "ideal"
            and isinstance(self.system, Material)
            and can_replay(self.system, self.boundary)
        )

    def replay(self, tape: Tape, inputs: np.ndarray, targets: np.ndarray) -> int:
        """Do a recorded step on samples (S, inputs), (S, outputs), one after another, as if phase by phase.

        For an apparatus that :meth:`can_replay`.

        Returns:
            How many steps were done; fewer than S where a step met a relaxation that did not converge, which is for
            the caller to do phase by phase.
        """
        return replay_together([self], [tape], [inputs], [targets])[0]

    def _stream(self, tape: Tape, inputs: np.ndarray, targets: np.ndarray) -> Stream:
        self._gripped = None
        loose, nudged = (self._imposed(inputs, targets, beta) for beta in (0.0, 1.0))
        state = self._state if self._state is not None and len(self._state) == 1 else None
        return Stream(loose, nudged, tape, self.stiffness, self._knobs(), state)

    def _take(self, done: Replayed, tape: Tape, inputs: np.ndarray, targets: np.ndarray, seconds: float) -> None:
        """Stand where the steps that were replayed end."""
        self.meter.seconds += seconds
        self.meter.relaxations += done.steps * tape.relaxations
        self.meter.iterations += done.iterations
        self.meter.unstable += done.unstable
        self.stiffness, self.knobs, self._state = done.stiffness, done.knobs, done.state
        last = max(done.steps - 1, 0)
        self._inputs, self._targets, self._beta = inputs[last : last + 1], targets[last : last + 1], tape.last_beta
        self._boundary = self._settled = None
        if done.unstable:
            self.events.add(Kind.CONVEXITY, done.unstable, last_step=self.events.step + max(done.steps - 1, 0))
        self._count_at_bounds()
        self._look_for_runaways()

    # Readings.

    @contextmanager
    def unmetered(self) -> Iterator[None]:
        """Let what is done inside cost nothing: the experimenter's own look at how the learning stands."""
        meter, self.meter = self.meter, replace(self.meter)
        try:
            yield
        finally:
            self.meter = meter

    def read(self) -> np.ndarray:
        """Outputs, (B, outputs), at rest, as they are; the meter's noise is not in them."""
        return self.outputs.read(self.system, self.settle().state)

    def shown(self) -> np.ndarray:
        """Outputs, (B, outputs), at rest, as the meter shows them."""
        outputs = self.read()
        return self._flaws.reading(outputs) if self._flaws else outputs.copy()

    def loss_gradient(self, targets: npt.ArrayLike) -> np.ndarray:
        """Exact gradient (P,) of the mean over samples of 1/2 |output - target|^2, at the present boundary."""
        rest = self.settle()
        began = time.perf_counter()
        wanted = np.broadcast_to(_rows(targets, len(self.outputs), "targets"), (len(rest.status), len(self.outputs)))
        pull = self.outputs.cost_gradient(self.system, rest.state, wanted)
        gradient = self.system.sensitivity(rest, self.boundary, pull)
        self.meter.seconds += time.perf_counter() - began
        self.meter.linear_solves += len(rest.status)
        return gradient

    def write_stiffness(self, values: npt.ArrayLike) -> None:
        """Put the servo's set points at values, (P,) or one for all, clipped to the bounds; knobs are put there too.

        Stiffnesses of no compliance stay as they are.
        """
        low, high = self.system.bounds
        wanted = np.broadcast_to(np.asarray(values, dtype=float), self.stiffness.shape)
        wanted = np.where(np.asarray(self.compliance) > 0, wanted, self.stiffness)
        if not np.isfinite(wanted).all():
            raise SandboxError(f"stiffness {int(np.argmin(np.isfinite(wanted)))} was asked to be {wanted.min()}")
        if self._flaws:
            wanted = self._flaws.written(self.stiffness, wanted)
        self.stiffness = np.clip(wanted, low, high)
        self.knobs = self.stiffness.copy()
        self._settled = None

    def rest_readings(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and outputs, (inputs,) and (outputs,), at the rest state of the system, nothing imposed."""
        rest = self.system.rest_state()[None]
        return self.inputs.read(self.system, rest)[0], self.outputs.read(self.system, rest)[0]


def _check_result(system: System, result: object, boundary: Boundary) -> None:
    """What a system of a plugin gave as its equilibrium: shapes, and finite where it says converged."""
    name = type(system).__name__
    if not isinstance(result, Equilibrium):
        raise SandboxError(f"{name}.relax gave a {type(result).__name__}; it must give an Equilibrium")
    batch = boundary.batch
    shapes = {"state": boundary.values.shape, "stiffness": system.stiffness.shape, "energy": (batch,)}
    for what, shape in {**shapes, "status": (batch,), "iterations": (batch,), "indefinite": (batch,)}.items():
        if np.shape(getattr(result, what)) != shape:
            raise SandboxError(f"{name}.relax gave {what} of shape {np.shape(getattr(result, what))}; expected {shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        sound = np.isfinite(result.state.sum()) and np.isfinite(np.dot(result.stiffness, result.stiffness))
    if sound or not result.converged.all():
        return
    bad = np.argwhere(~np.isfinite(result.state))
    if len(bad):
        sample, node, _ = bad[0]
        where = f"the state of node {node} in sample {sample}"
    elif np.isfinite(result.stiffness).all():
        return  # only the sum overflowed
    else:
        where, sample = f"stiffness {int(np.argmin(np.isfinite(result.stiffness)))}", 0
    raise SandboxError(
        f"{name}.relax says it converged, and {where} is not finite at iteration {int(result.iterations[sample])}"
    )


def _rows(values: npt.ArrayLike, width: int, what: str) -> np.ndarray:
    rows = np.atleast_2d(np.asarray(values, dtype=float))
    if rows.ndim != 2 or rows.shape[1] != width:
        raise BoundaryError(f"{what} have shape {np.shape(values)}; expected ({width},) or (samples, {width})")
    if not np.isfinite(rows).all():
        sample, terminal = np.argwhere(~np.isfinite(rows))[0]
        raise BoundaryError(f"{what} must be finite; sample {sample}, terminal {terminal} is {rows[sample, terminal]}")
    return rows


def replay_together(
    replicas: Sequence[Apparatus], tapes: Sequence[Tape], inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
) -> list[int]:
    """:meth:`Apparatus.replay` for replicas of one system, each with its own tape and samples, in parallel.

    They are of one system and one wiring, can replay, and have the same tolerance, coupling and way to start; their
    tapes differ in nothing but nudging strengths, and there are as many samples for each.

    Returns:
        How many steps each has done.
    """
    first = replicas[0]
    assert isinstance(first.system, Material)
    rows = [
        (_rows(x, len(a.inputs), "inputs"), _rows(y, len(a.outputs), "targets"))
        for a, x, y in zip(replicas, inputs, targets, strict=True)
    ]
    streams = [a._stream(tape, *row) for a, tape, row in zip(replicas, tapes, rows, strict=True)]
    began = time.perf_counter()
    done = replay(
        first.system,
        streams,
        fresh=first.fresh,
        tolerance=first.tolerance,
        look_tolerance=max(LOOK_TOLERANCE, first.tolerance),
        look_inward=INWARD * LOOK_TOLERANCE,
        max_iterations=MAX_ITERATIONS,
    )
    seconds = (time.perf_counter() - began) / len(replicas)
    for a, one, tape, row in zip(replicas, done, tapes, rows, strict=True):
        a._take(one, tape, *row, seconds)
    return [one.steps for one in done]
