"""A system on the bench: what is done at its terminals and knobs, and what it comes to rest at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sandbox.apparatus.homeostat import Homeostat, Unsettled, hold_by_integral_control, look
from sandbox.apparatus.meter import Meter
from sandbox.apparatus.replaying import replay_streams
from sandbox.apparatus.watch import Watch
from sandbox.copies import Copied
from sandbox.errors import BoundaryError, SandboxError
from sandbox.events import Events, Kind
from sandbox.imperfections import Flaws, Imperfections
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, NotConverged, Status
from sandbox.physics.knobs import Coupling, Knobs, balance
from sandbox.physics.material import Material
from sandbox.physics.relaxation.replay import Replayed, Stream, Tape, can_replay
from sandbox.physics.system import TOLERANCE, System, check_equilibrium, relaxes_jointly
from sandbox.shown import Shown
from sandbox.terminals import Terminals, check_overlaps


@dataclass(eq=False)
class Apparatus(Copied, Shown):
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
        check_overlaps(self.inputs, self.outputs, self.surroundings)
        if self.homeostat not in ("ideal", "integral"):
            raise SandboxError(f"there is no homeostat {self.homeostat!r}; choose 'ideal' or 'integral'")
        self._watch = Watch(system)
        self.stiffness = system.stiffness.copy() if self.stiffness is None else np.array(self.stiffness, dtype=float)
        self.knobs = self.stiffness.copy() if self.knobs is None else np.array(self.knobs, dtype=float)
        self.compliance = Knobs(self.knobs, np.asarray(self.compliance, dtype=float), self.coupling).compliance
        self.meter.at_bounds = self._watch.number_at_bounds(self.stiffness)
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
        self._inputs = self.inputs.rows(inputs, "inputs")
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

        Node components are clamped; the distance of a pair is held by a spring of stiffness
        :data:`sandbox.terminals.GRIP`. Nudges are off while outputs are held.
        """
        if values is None:
            self._gripped = None
        else:
            rows = self.outputs.rows(values, "outputs")
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
            rows = self.outputs.rows(targets, "targets")
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
        assert self.surroundings is not None
        batch = len(inputs)
        driven = self.inputs.drive(self.system, self.surroundings.repeated(batch), inputs)
        shape = (batch, len(self.outputs))
        if self._gripped is None:
            return self.outputs.nudge(driven, np.broadcast_to(targets, shape), beta)
        return self.outputs.grip(self.system, driven, np.broadcast_to(self._gripped, shape))

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
        self._watch.look_at_knobs(self.knobs, self.events)
        return rest

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
        self._watch.look_at_stiffnesses(self.stiffness, self.meter, self.events)
        return rest

    def _holds(self, rest: Equilibrium) -> bool:
        """Whether the held stiffnesses and the state are at a minimum of the joint energy."""
        if not relaxes_jointly(self.system):
            return True
        bounds = self._watch.bounds
        seen = look(self.system, self.boundary, rest, self.stiffness, self._knobs(), bounds, self.tolerance)
        self.meter.iterations += int(seen.iterations.sum())
        return bool(seen.converged.all())

    def _hold_by_integral_control(self) -> Equilibrium:
        if self._state is None:
            self.settle()  # let go from a state at rest: far from it the stiffnesses would be torn away

        def relax(knobs: np.ndarray) -> Equilibrium:
            self.knobs = knobs
            return self._relax(self._knobs())

        wanted = self.stiffness.copy()
        self._settled = hold_by_integral_control(relax, wanted, self.knobs, self.coupling, self.drift_tolerance)
        return self._settled

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
        if not isinstance(self.system, Material):
            boundary.check_held()  # a material does so itself
        began = time.perf_counter()
        result = self.system.relax(
            boundary, self.stiffness, knobs=knobs, start=start, tolerance=self.tolerance, throw=False
        )
        if not isinstance(self.system, Material):
            check_equilibrium(self.system, result, boundary)
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
        rows = self.inputs.rows(inputs, "inputs"), self.outputs.rows(targets, "targets")
        streams = [self._stream(tape, *rows)]
        (done,), seconds = replay_streams(self.system, streams, fresh=self.fresh, tolerance=self.tolerance)
        self._take(done, tape, *rows, seconds)
        return done.steps

    def _stream(self, tape: Tape, inputs: np.ndarray, targets: np.ndarray) -> Stream:
        """What is to be replayed, from here."""
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
            self.events.add(Kind.CONVEXITY, done.unstable, last_step=self.events.step + last)
        self._watch.look_at_stiffnesses(self.stiffness, self.meter, self.events)
        self._watch.look_at_knobs(self.knobs, self.events, self.events.step + last)

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
        wanted = np.broadcast_to(self.outputs.rows(targets, "targets"), (len(rest.status), len(self.outputs)))
        pull = self.outputs.cost_gradient(self.system, rest.state, wanted)
        gradient = self.system.sensitivity(rest, self.boundary, pull)
        self.meter.seconds += time.perf_counter() - began
        self.meter.linear_solves += len(rest.status)
        return gradient

    def write_stiffness(self, values: npt.ArrayLike) -> None:
        """Put the servo's set points at values, (P,) or one for all, clipped to the bounds; knobs are put there too.

        Stiffnesses of no compliance stay as they are.
        """
        wanted = np.broadcast_to(np.asarray(values, dtype=float), self.stiffness.shape)
        wanted = np.where(np.asarray(self.compliance) > 0, wanted, self.stiffness)
        if not np.isfinite(wanted).all():
            raise SandboxError(f"stiffness {int(np.argmin(np.isfinite(wanted)))} was asked to be {wanted.min()}")
        if self._flaws:
            wanted = self._flaws.written(self.stiffness, wanted)
        self.stiffness = np.clip(wanted, *self.system.bounds)
        self.knobs = self.stiffness.copy()
        self._settled = None

    def rest_readings(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and outputs, (inputs,) and (outputs,), at the rest state of the system, nothing imposed."""
        rest = self.system.rest_state()[None]
        return self.inputs.read(self.system, rest)[0], self.outputs.read(self.system, rest)[0]
