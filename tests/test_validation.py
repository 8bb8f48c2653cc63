"""The validation suite passes here, sees what is broken, and says so to the shell."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pytest

from sandbox import cli
from sandbox.validation import SUITE, Check, suite, theory, validate


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["sandbox", "validate", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code


def test_all_is_well_on_this_machine_and_quick(monkeypatch, capsys):
    began = time.process_time()
    assert command(monkeypatch, "--json") in (0, None)
    assert time.process_time() - began < 40
    rows = json.loads(capsys.readouterr().out)
    assert {row["group"] for row in rows} == set(SUITE)
    assert all(row["ok"] for row in rows)
    assert len(rows) >= 30
    assert len({(row["group"], row["name"]) for row in rows}) == len(rows)


@pytest.mark.parametrize(("json_", "shown"), [(False, "NO"), (True, '"ok": false')])
def test_a_failed_check_is_told(monkeypatch, capsys, json_, shown):
    def broken():
        yield Check("closed forms", "a bridge", 0.5, 1e-9)
        raise RuntimeError("no such thing")

    monkeypatch.setattr(suite, "SUITE", {"closed forms": broken})
    assert command(monkeypatch, *(["--json"] if json_ else [])) == 1
    printed = capsys.readouterr().out
    assert shown in printed
    assert "no such thing" in " ".join(printed.split())


def test_the_measures_see_what_is_wrong(monkeypatch):
    """A controller that climbs, a law with the wrong factor, a leak of current: each fails its own check."""
    from sandbox_aeqprop import AEqprop

    def backwards(self, bench, inputs, targets):
        first, second = self.nudgings
        for beta, phase in ((second, bench.hold), (first, bench.release)):
            bench.clamp(inputs)
            bench.nudge(targets, beta)
            phase()

    monkeypatch.setattr(AEqprop, "step", backwards)
    failed = {c.name for c in theory.checks() if not c.ok}
    assert any("rises of the Lyapunov function" in name for name in failed)
    assert any("order in beta" in name for name in failed)


def test_a_wrong_law_is_seen(monkeypatch):
    from sandbox.physics.laws.law import EdgeLaw
    from sandbox.validation import closed_forms, conservation, minimization, modes

    wrong = EdgeLaw("k/2 * (r - l)**2 + k/40*(r - l)**4", ("k", "l"))
    for module in (closed_forms, minimization, modes, conservation):
        monkeypatch.setattr(module, "SPRING", wrong)
    monkeypatch.setattr(
        minimization, "DIODE", EdgeLaw("k*(vt**2*(exp(d/vt) - 1) - vt*d) + leak*d**2", ("k", "vt", "leak"))
    )
    failed = {c.name for checks in (closed_forms.checks, minimization.checks) for c in checks() if not c.ok}
    assert {"two long springs pulled across, large rotation"} <= failed
    assert {n for n in failed if "stretched lattice" in n}
    assert {n for n in failed if "diode network" in n}
    assert conservation.walls() < 1e-8  # holds for any pair force, as it should


def test_a_check_in_words():
    assert Check("g", "n", 1.0, 2.0).ok
    assert not Check("g", "n", float("nan"), 2.0).ok
    assert not Check("g", "n", 0.5, 2.0, 1.0).ok
    assert Check("g", "n", 1.5, 2.0, 1.0).allowed == "1 to 2"
    row = Check("g", "n", float("nan"), 2.0).row()
    assert (row["measured"], row["low"], row["ok"]) == (None, None, False)
    assert json.loads(json.dumps(row)) == row


def test_validate_yields_as_it_goes():
    first = next(iter(validate()))
    assert first.ok
    assert np.isfinite(first.measured)
