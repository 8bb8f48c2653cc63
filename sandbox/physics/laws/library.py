"""Laws that come up again and again."""

from __future__ import annotations

from sandbox.physics.laws.law import EdgeLaw, NodeLaw

SPRING = EdgeLaw("k/2 * (r - l)**2", ("k", "l"))
"""A central-force spring of stiffness k and rest length l."""

SPRING_OF_REST_LENGTH = EdgeLaw(SPRING.expression, SPRING.parameters, stiffness="l")
"""The same spring; what is adjusted is its rest length."""

CONDUCTANCE = EdgeLaw("k/2 * d**2", ("k",))
"""A linear conductor: half the dissipated power. The flow from the edge's first node to its second is -k*d."""

POWER_LAW = EdgeLaw("k/(n + 1) * (d**2 + delta**2)**((n + 1)/2)", ("k", "n", "delta"))
"""Content of a resistor whose flow is k*sign(d)*|d|**n, from the edge's second node to its first.

The bare law has infinite (n < 1) or zero (n > 1) curvature at d = 0. It is rounded over a drop ``delta``:
``flow = k*d*(d**2 + delta**2)**((n - 1)/2)``, which differs from the bare law by a factor
``1 + (n - 1)/2*(delta/d)**2`` for drops well above delta.
"""

DIODE = EdgeLaw("k*(vt**2*(exp(d/vt) - 1) - vt*d) + leak/2*d**2", ("k", "vt", "leak"))
"""Content of a Shockley diode of conductance k at zero bias, with a linear leak in parallel.

The slope ``k*vt*(exp(d/vt) - 1) + leak*d`` in d = s_second - s_first is the current from the edge's second node to its
first. The sign of ``vt`` says which way is easy: for ``vt`` > 0 from second to first, where d > 0; for ``vt`` < 0 from
first to second, where d < 0.
"""

LOAD = NodeLaw("-f*s", ("f",))
"""A constant external force (or injected current) f."""

ONSITE = NodeLaw("k/2*s**2 - b*s", ("k", "b"))
"""A harmonic self-energy with a bias, as of a Hopfield unit."""
