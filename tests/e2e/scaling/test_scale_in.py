"""Pools shrink under load, while everything that can break does: no job notices."""

from __future__ import annotations

import pytest

from tests.e2e.scaling.controllers import NEW_LEADER_WITHIN
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.proof import Proof
from tests.e2e.scaling.trial import perform

TEXT = """Three pools of up to three workers run jobs of 0.2 to 3 s. They are held at changing numbers and left to
themselves in turn, while all of this is broken, one after the other; the leader is killed (SIGKILL) the moment each
step of a drain shows."""


def test_scale_ins_with_faults_interrupt_no_job(
    scaled: Installation, proof: Proof, pytestconfig: pytest.Config
) -> None:
    wanted = pytestconfig.getoption("--scale-ins")
    report = perform(scaled, wanted)
    proof.add("Scale-ins with faults", TEXT, report.rows())
    assert report.scale_ins >= wanted
    assert report.verdict.clean, report.verdict
    assert report.unreported == []
    assert max(report.failovers) <= NEW_LEADER_WITHIN
