"""What the sandbox asks of any system."""

from sandbox_pipes import HazenWilliams

from sandbox.testing import Conformance


class TestHazenWilliams(Conformance):
    part = HazenWilliams
