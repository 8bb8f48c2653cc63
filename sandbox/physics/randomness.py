"""Counter-based random numbers: a function of a key and a counter, without any state to carry along.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11) turns four 32-bit
words of counter and two of key into four words that pass for independent and uniform. With the step, the sample and
the node as the counter, the noise on a node is the same whatever the number of threads, the order of evaluation, or
the step at which a run was restarted.

:func:`philox` and :func:`four_normals` are called inside Taichi kernels; :func:`philox_numpy` and
:func:`four_normals_numpy` are their NumPy twins. Words agree exactly, normals to a few units in the last place (the
logarithm, sine and cosine of two libraries).

No ``from __future__ import annotations`` here: Taichi reads the annotations of functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

import numpy as np
import taichi as ti

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # the key moves on by these in every round
ROUNDS = 10

NOISE, VELOCITIES = 0, 1
"""What random numbers are for; each purpose has numbers of its own."""

_UNIT = 2.0**-32
_WORD = 0xFFFFFFFF


@ti.func
def philox(c0: ti.u32, c1: ti.u32, c2: ti.u32, c3: ti.u32, k0: ti.u32, k1: ti.u32):
    """Philox4x32-10: four uniform 32-bit words."""
    for _ in ti.static(range(ROUNDS)):
        p0 = ti.cast(c0, ti.u64) * ti.u64(MULTIPLIERS[0])
        p1 = ti.cast(c2, ti.u64) * ti.u64(MULTIPLIERS[1])
        c0 = ti.cast(p1 >> 32, ti.u32) ^ c1 ^ k0
        c2 = ti.cast(p0 >> 32, ti.u32) ^ c3 ^ k1
        c1 = ti.cast(p1, ti.u32)
        c3 = ti.cast(p0, ti.u32)
        k0 = k0 + ti.u32(WEYL[0])
        k1 = k1 + ti.u32(WEYL[1])
    return c0, c1, c2, c3


@ti.func
def four_normals(seed: ti.u64, step: ti.i64, sample: ti.u32, node: ti.u32):
    """Four independent standard normals for a node of a sample at a step (purpose :data:`NOISE`)."""
    w0, w1, w2, w3 = philox(
        node,
        sample,
        ti.cast(step, ti.u32),
        ti.cast(step >> 32, ti.u32),
        ti.cast(seed, ti.u32),
        ti.cast(seed >> 32, ti.u32),
    )
    near = ti.sqrt(-2.0 * ti.log((ti.cast(w0, ti.f64) + 0.5) * _UNIT))
    far = ti.sqrt(-2.0 * ti.log((ti.cast(w2, ti.f64) + 0.5) * _UNIT))
    first = 2.0 * np.pi * ((ti.cast(w1, ti.f64) + 0.5) * _UNIT)
    second = 2.0 * np.pi * ((ti.cast(w3, ti.f64) + 0.5) * _UNIT)
    return ti.Vector([near * ti.cos(first), near * ti.sin(first), far * ti.cos(second), far * ti.sin(second)])


def philox_numpy(counter: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Philox4x32-10 of counters (..., 4) and keys (..., 2), 32-bit words each; four uniform words, (..., 4) uint32."""
    c = [np.asarray(word, dtype=np.uint64) for word in np.moveaxis(np.asarray(counter), -1, 0)]
    k = [np.asarray(word, dtype=np.uint64) for word in np.moveaxis(np.asarray(key), -1, 0)]
    low, half = np.uint64(_WORD), np.uint64(32)
    for _ in range(ROUNDS):
        p0, p1 = c[0] * np.uint64(MULTIPLIERS[0]), c[2] * np.uint64(MULTIPLIERS[1])
        c = [(p1 >> half) ^ c[1] ^ k[0], p1 & low, (p0 >> half) ^ c[3] ^ k[1], p0 & low]
        k = [(word + np.uint64(weyl)) & low for word, weyl in zip(k, WEYL, strict=True)]
    return np.stack(np.broadcast_arrays(*c), axis=-1).astype(np.uint32)


def four_normals_numpy(seed: int, step: int, samples: np.ndarray, nodes: int, purpose: int = NOISE) -> np.ndarray:
    """Four independent standard normals for every node of some samples at a step.

    Uniform numbers have 32 bits, so normals end at 6.8 standard deviations; a normal beyond is due once in 10^11.

    Args:
        seed: below 2^64.
        step: below 2^56.
        samples: (B,) numbers of the samples, below 2^32.
        nodes: N, how many nodes.
        purpose: numbers for another purpose are independent.

    Returns:
        (B, N, 4) array.
    """
    counter = np.empty((len(samples), nodes, 4), dtype=np.uint64)
    counter[..., 0] = np.arange(nodes)
    counter[..., 1] = np.asarray(samples)[:, None]
    counter[..., 2] = step & _WORD
    counter[..., 3] = (step >> 32) | purpose << 24
    words = philox_numpy(counter, np.array([seed & _WORD, seed >> 32], dtype=np.uint64))
    uniform = (words.astype(float) + 0.5) * _UNIT
    radius, angle = np.sqrt(-2.0 * np.log(uniform[..., 0::2])), 2.0 * np.pi * uniform[..., 1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(counter.shape)
