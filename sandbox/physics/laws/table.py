"""Energies and derivatives of the library's laws, as SymPy gives them.

Written by ``python -m sandbox.physics.laws.tabulate``.
"""

from __future__ import annotations

from math import inf

TABLE: dict[tuple[str, tuple[str, ...], str], tuple[dict[str, float], str]] = {
    ("k/2 * (r - l)**2", ("k", "l"), "k"): (
        {"k": 1, "l": 2, "r": 2},
        (
            "def terms(r, k, l):\n"
            "    x0 = -l + r\n"
            "    x1 = (1/2)*x0**2\n"
            "    return [k*x1, (1/2)*k*(-2*l + 2*r), k, x1, 0, x0]\n"
        ),
    ),
    ("k/2 * (r - l)**2", ("k", "l"), "l"): (
        {"k": 1, "l": 2, "r": 2},
        (
            "def terms(r, l, k):\n"
            "    x0 = (1/2)*k\n"
            "    x1 = 2*l - 2*r\n"
            "    return [x0*(-l + r)**2, -x0*x1, k, x0*x1, k, -k]\n"
        ),
    ),
    ("k/2 * d**2", ("k",), "k"): (
        {"d": 2, "k": 1},
        ("def terms(d, k):\n    x0 = (1/2)*d**2\n    return [k*x0, d*k, k, x0, 0, d]\n"),
    ),
    ("k/(n + 1) * (d**2 + delta**2)**((n + 1)/2)", ("k", "n", "delta"), "k"): (
        {"d": inf, "delta": inf, "k": 1, "n": inf},
        (
            "def terms(d, k, n, delta):\n"
            "    x0 = d**2\n"
            "    x1 = delta**2 + x0\n"
            "    x2 = (1/2)*n + 1/2\n"
            "    x3 = x1**x2/(n + 1)\n"
            "    x4 = k*x3\n"
            "    x5 = x2*x4\n"
            "    x6 = 2/x1\n"
            "    x7 = x5*x6\n"
            "    x8 = 4*x0/x1**2\n"
            "    return [x4, d*x7, x2**2*x4*x8 - x5*x8 + x7, x3, 0, d*x2*x3*x6]\n"
        ),
    ),
    ("k*(vt**2*(exp(d/vt) - 1) - vt*d) + leak/2*d**2", ("k", "vt", "leak"), "k"): (
        {"d": inf, "k": 1, "leak": 1, "vt": inf},
        (
            "def terms(d, k, vt, leak):\n"
            "    x0 = exp(d/vt)\n"
            "    x1 = -d*vt + vt**2*(x0 - 1)\n"
            "    x2 = vt*x0 - vt\n"
            "    return [(1/2)*d**2*leak + k*x1, d*leak + k*x2, k*x0 + leak, x1, 0, x2]\n"
        ),
    ),
    ("-f*s", ("f",), ""): (
        {"f": 1, "s": 1},
        ("def terms(s, f):\n    return [-f*s, -f, 0]\n"),
    ),
    ("k/2*s**2 - b*s", ("k", "b"), ""): (
        {"b": 1, "k": 1, "s": 2},
        ("def terms(s, k, b):\n    return [-b*s + (1/2)*k*s**2, -b + k*s, k]\n"),
    ),
}
