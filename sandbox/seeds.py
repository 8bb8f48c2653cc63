"""Random streams: every draw of a run comes from a named generator that is a function of the scene's seed.

Names in use: ``network``, ``terminals``, ``system``, ``disguise``, ``compliance``, ``task``, ``controller``,
``imperfections``, ``shuffle`` with the number of the epoch, and ``search`` with that of the trial. The noise of
dynamics is a function of seed, step, sample and node, see :mod:`sandbox.physics.randomness`. Generators that outlive
the building of a scene, those of controller and imperfections, have their states in the checkpoints.
"""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """The generator of a named purpose, say ``stream(seed, "shuffle", epoch)``.

    Streams of different names, or numbers, do not overlap; but a name has numbers always or never, since the first
    of the numbered ones, 0, is the one without.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *numbers])
