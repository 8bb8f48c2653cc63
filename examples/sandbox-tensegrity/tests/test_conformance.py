"""What the sandbox asks of any graph and any system."""

from sandbox_tensegrity import Prism, Tensegrity

from sandbox.testing import Conformance


class TestPrism(Conformance):
    part = Prism


class TestTensegrity(Conformance):
    part = Tensegrity
