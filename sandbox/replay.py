"""Recording a controller's step, so that it can be replayed over a stream of samples."""

from __future__ import annotations

from typing import Any

from sandbox.parts import Controller
from sandbox.physics.relaxation.replay import Tape


def record(controller: Controller) -> Tape | None:
    """The controller's step as a fixed sequence of phases; ``None`` if it is not one.

    The step is run once against a bench that does nothing but write down what is asked of it, on inputs and targets
    that cannot be looked at. A step that reads, decides, computes or draws at random cannot do so there, and is none.
    """
    if controller.port != "bench":
        return None
    recorder: Any = _Recorder()
    sample: Any = _Inputs()
    goal: Any = _Targets()
    try:
        controller.step(recorder, sample, goal)
    except Exception:  # whatever it does that is not a fixed sequence; done on the real bench, it has its own say
        return None
    return recorder.tape()


class _Opaque:
    """Stands for an array that may be handed on and not be looked at."""

    __slots__ = ()

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("not to be looked at")

    def __bool__(self) -> bool:
        raise TypeError("not to be looked at")

    __len__ = __iter__ = __eq__ = __hash__ = __array__  # type: ignore[assignment]


class _Inputs(_Opaque):
    __slots__ = ()


class _Targets(_Opaque):
    __slots__ = ()


class _Recorder:
    """A bench that takes notes. What is not here, such as reading, is not recorded and ends the recording."""

    def __init__(self) -> None:
        self._phases: list[str] = []
        self._betas: list[float] = []

    def clamp(self, inputs: Any) -> None:
        self._note("clamp", isinstance(inputs, _Inputs))

    def nudge(self, targets: Any, beta: float) -> None:
        self._note("nudge", isinstance(targets, _Targets) or (targets is None and beta == 0), float(beta))

    def hold(self) -> None:
        # A bench that is at rest already does not relax again.
        self._note("hold", self._ready() and self._phases[-1] in ("clamp", "nudge"))

    def release(self) -> None:
        self._note("release", self._ready())

    def _ready(self) -> bool:
        return self._phases[:1] == ["clamp"] and "nudge" in self._phases

    def _note(self, phase: str, plain: bool, beta: float = 0.0) -> None:
        if not plain:
            raise TypeError(f"this {phase} is not the same in every step")
        self._phases.append(phase)
        self._betas.append(beta)

    def tape(self) -> Tape | None:
        tape = Tape(tuple(self._phases), tuple(self._betas))
        return tape if tape.relaxations else None
