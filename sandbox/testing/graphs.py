"""What is asked of a way to make a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from sandbox.parts import Graph
from sandbox.physics.network import Network
from sandbox.validation.check import ROUNDING, Check


def network(part: Graph) -> Iterator[Check]:
    """A network, and the same one for the same draw."""
    made = [part.build(np.random.default_rng(1)) for _ in range(2)]
    yield Check("network", "things made that are no network", float(sum(not isinstance(n, Network) for n in made)), 0.0)
    one, other = (n.positions for n in made)
    rounding = ROUNDING * float(np.abs(one).max(initial=0.0))
    same = np.array_equal(made[0].edges, made[1].edges) and (
        one.shape == other.shape and np.allclose(one, other, rtol=0, atol=rounding)
    )
    yield Check("network", "networks that differ for the same draw", float(not same), 0.0)
    empty = [name for name, nodes in made[0].groups.items() if len(nodes) == 0]
    yield Check("network", "groups without nodes", float(len(empty)), 0.0, note=", ".join(empty))


ASPECTS: Mapping[str, Callable[[Graph], Iterator[Check]]] = {"network": network}
