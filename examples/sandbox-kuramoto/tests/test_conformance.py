"""What the sandbox asks of any system."""

from sandbox_kuramoto import Kuramoto

from sandbox.testing import Conformance


class TestKuramoto(Conformance):
    part = Kuramoto
