"""The conformance kit: what the sandbox asks of any part of a plugin, measured.

In a plugin's own tests::

    class TestPhases(sandbox.testing.Conformance):
        part = Phases

and pytest runs every check that suits the kind of the part. From the command line: ``sandbox check PLUGIN``. What a
part is tried with is its ``trial`` (:class:`sandbox.parts.Trial`).

========== ====================================================================================================
system     derivatives of the law against finite differences; a minimum is reached, and holding a component
           elsewhere costs energy; the force on the stiffnesses and the exact gradient against finite
           differences; a batch equals its samples one by one; bounds are kept, held stiffnesses stay; a second
           relaxation gives the same numbers and changes no argument; held stiffnesses stay when let go, and
           AEqprop's Lyapunov function never rises
controller the loss falls; bounds are kept; a batch can be given; what a checkpoint keeps is plain and goes on to
           the same numbers
task       samples that suit the terminals; the same draw gives the same samples; no sample is in both sets;
           figures are finite
graph      a network, and the same one for the same draw
========== ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from sandbox.errors import SandboxError
from sandbox.parts import Controller, Graph, Part, SystemPart, TaskPart
from sandbox.testing import controllers, graphs, systems, tasks
from sandbox.testing.law import check_law as check_law
from sandbox.validation.check import Check as Check

Aspect = Callable[[Any], Iterator[Check]]

ASPECTS: Mapping[type[Part], Mapping[str, Aspect]] = {
    Graph: graphs.ASPECTS,
    SystemPart: systems.ASPECTS,
    TaskPart: tasks.ASPECTS,
    Controller: controllers.ASPECTS,
}


def aspects(part: type[Part]) -> Mapping[str, Aspect]:
    """The aspects of a kind of part that are checked, by name."""
    return next(found for kind, found in ASPECTS.items() if issubclass(part, kind))


def settled(part: type[Part]) -> Part:
    """A part with the settings of its trial.

    Raises:
        SandboxError: where the settings are not enough, or wrong.
    """
    try:
        return part.model_validate(dict(part.trial.settings))
    except ValueError as error:
        raise SandboxError(
            f"{part.__name__} cannot be made with the settings of its trial: give it "
            f"`trial: ClassVar = Trial(settings={{...}})` ({error})"
        ) from error


def check_part(part: type[Part], name: str = "") -> Iterator[Check]:
    """Measure every aspect of a part, each by itself: one that raises is a failed check, and the rest go on."""
    for aspect in aspects(part):
        yield from check_aspect(part, aspect, name or part.__name__)


def check_aspect(part: type[Part], aspect: str, name: str = "") -> Iterator[Check]:
    """Measure one aspect of a part."""
    group = name or part.__name__
    try:
        for check in aspects(part)[aspect](settled(part)):
            yield Check(group, check.name, check.measured, check.high, check.low, check.note)
    except Exception as error:  # whatever a plugin raises is a finding
        yield Check(group, aspect, float("nan"), 0.0, note=f"{type(error).__name__}: {error}")


class Conformance:
    """A base for test classes of pytest: every aspect of the class's part, a test each.

    Attributes:
        part: the part; its ``trial`` says what it is tried with.
    """

    part: ClassVar[type[Part]]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each aspect."""
        if "aspect" in metafunc.fixturenames:
            metafunc.parametrize("aspect", list(aspects(type(self).part)))

    def test_conformance(self, aspect: str) -> None:
        """Every check of the aspect is within what is allowed."""
        wrong = [
            f"{check.name}: {check.measured:.3g}, allowed {check.allowed}" + (f" ({check.note})" if check.note else "")
            for check in check_aspect(self.part, aspect)
            if not check.ok
        ]
        assert not wrong, "\n".join(wrong)
