"""A law disguised: every edge has a factor and a nonlinearity of its own that nobody was told."""

from __future__ import annotations

from functools import lru_cache

from sandbox.errors import LawError
from sandbox.physics.laws.law import EdgeLaw


@lru_cache(maxsize=64)
def hidden(law: EdgeLaw) -> EdgeLaw:
    """The law ``c*E*(1 + a*dE/dtheta)`` of an edge law E that is linear in its stiffness theta.

    The parameters ``hidden_factor`` (c) and ``hidden_hardening`` (a, per unit of E/theta) are added at the end. The
    new law is linear in theta too, and convex in the variable where E is convex, not negative and a >= 0.

    Raises:
        LawError: for a law that is not linear in its stiffness.
    """
    import sympy

    theta_slope = sympy.simplify(law.terms[3])
    if sympy.simplify(law.terms[4]) != 0:
        raise LawError(
            f"a law is disguised by its stiffness's factor; {law.expression!r} is not linear in its stiffness"
        )
    return EdgeLaw(
        f"hidden_factor*({law.expression})*(1 + hidden_hardening*({theta_slope}))",
        (*law.parameters, "hidden_factor", "hidden_hardening"),
        law.stiffness,
    )
