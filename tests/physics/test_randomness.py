# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
import numpy as np
import pytest
import taichi as ti
from scipy import stats

from sandbox.physics import runtime
from sandbox.physics.randomness import VELOCITIES, four_normals, four_normals_numpy, philox, philox_numpy

# Known answers for philox4x32-10 published with Random123 (tests/kat_vectors): counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
ROUNDING = 1e-14  # of normals up to 6.8, from two libraries' log, sin and cos


def words(text: str) -> np.ndarray:
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint32)


def in_kernel(counter: np.ndarray, key: np.ndarray) -> np.ndarray:
    runtime.start()
    table = ti.types.ndarray(dtype=ti.u32, ndim=2)

    @ti.kernel
    def run(counters: table, keys: table, out: table):
        for i in range(counters.shape[0]):
            w = philox(counters[i, 0], counters[i, 1], counters[i, 2], counters[i, 3], keys[i, 0], keys[i, 1])
            for c in ti.static(range(4)):
                out[i, c] = w[c]

    result = np.empty_like(counter)
    run(counter, key, result)
    return result


@pytest.mark.parametrize("implementation", [philox_numpy, in_kernel])
def test_known_answers(implementation):
    counters = np.array([words(c) for c, _, _ in KNOWN])
    keys = np.array([words(k) for _, k, _ in KNOWN])
    np.testing.assert_array_equal(implementation(counters, keys), [words(r) for _, _, r in KNOWN])


def test_words_agree_with_numpys_twin():
    rng = np.random.default_rng(1)
    counters = rng.integers(0, 2**32, (1000, 4), dtype=np.uint32)
    keys = rng.integers(0, 2**32, (1000, 2), dtype=np.uint32)
    np.testing.assert_array_equal(in_kernel(counters, keys), philox_numpy(counters, keys))


def test_normals_agree_with_numpys_twin():
    runtime.start()
    seed, step, nodes = 2**63 + 12345, 2**40 + 7, 500

    @ti.kernel
    def run(seed: ti.u64, step: ti.i64, out: ti.types.ndarray(dtype=ti.f64, ndim=3)):
        for b, i in ti.ndrange(out.shape[0], out.shape[1]):
            x = four_normals(seed, step, ti.cast(b, ti.u32), ti.cast(i, ti.u32))
            for c in ti.static(range(4)):
                out[b, i, c] = x[c]

    result = np.empty((3, nodes, 4))
    run(seed, step, result)
    np.testing.assert_allclose(result, four_normals_numpy(seed, step, np.arange(3), nodes), rtol=0, atol=ROUNDING)


def test_normals_are_normal_and_independent():
    x = np.stack([four_normals_numpy(5, step, np.arange(4), 500) for step in range(50)])
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3  # frozen seed: the value is 0.4 or so, not a matter of luck
    n = x.size
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(np.mean(x**4) - 3) < 4 * np.sqrt(96 / n)
    flat = x.reshape(-1, 4)
    correlations = np.corrcoef(flat.T)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(len(flat))
    for shifted in (x[1:] * x[:-1], x[:, 1:] * x[:, :-1], x[:, :, 1:] * x[:, :, :-1]):  # steps, samples, nodes
        assert abs(shifted.mean()) < 4 / np.sqrt(shifted.size)


def test_every_coordinate_of_the_counter_matters():
    base = four_normals_numpy(1, 2, np.array([3]), 4)
    for other in (
        four_normals_numpy(2, 2, np.array([3]), 4),
        four_normals_numpy(1 + 2**32, 2, np.array([3]), 4),
        four_normals_numpy(1, 3, np.array([3]), 4),
        four_normals_numpy(1, 2 + 2**32, np.array([3]), 4),
        four_normals_numpy(1, 2, np.array([4]), 4),
        four_normals_numpy(1, 2, np.array([3]), 4, VELOCITIES),
    ):
        assert not np.isclose(base, other).any()
