"""The physics validation suite: on the machine at hand, against what is known otherwise.

Closed forms, normal modes, SciPy's minimizers, conservation laws, and the promises of the theory of agnostic
equilibrium propagation (Scellier et al. 2022, arXiv:2205.15021). Nothing is compared with numbers that the sandbox
itself once gave. The command is ``sandbox validate``.
"""

from sandbox.validation.check import Check as Check
from sandbox.validation.suite import SUITE as SUITE
from sandbox.validation.suite import validate as validate
