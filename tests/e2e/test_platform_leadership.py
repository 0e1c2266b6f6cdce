"""Who of several controllers leads: processes that are frozen, killed and ended, judged by what each says of itself."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from heavylift_controller.cluster.lease import DURATION, Lease, running_clock
from tests.e2e.conftest import REPOSITORY, NamespaceFactory
from tests.e2e.elector import SAID
from tests.e2e.namespace import Namespace
from tests.e2e.pool_place import connected, role
from tests.waiting import wait_until

START = 40
"""Seconds within which processes start on a machine that has other things to do."""


@pytest.fixture(scope="module")
def place(new_namespace: NamespaceFactory) -> Iterator[Namespace]:
    """A namespace with the account."""
    with new_namespace("election") as namespace:
        namespace.apply(*role())
        yield namespace


@dataclass(frozen=True)
class Said:
    """What an elector wrote down at a moment, of a clock that all processes of this machine share."""

    at: float
    until: float
    """It was the only leader until then, if that is later."""
    epoch: int


class Elector:
    """A process that takes part in an election."""

    def __init__(self, namespace: Namespace, lease: str, identity: str, folder: Path) -> None:
        self._file = folder / f"{identity}.txt"
        command = (sys.executable, "-m", "tests.e2e.elector", str(namespace.cluster.kubeconfig), namespace.name)
        with self._file.open("w") as output:
            self._process = subprocess.Popen([*command, lease, identity], stdout=output, cwd=REPOSITORY)

    @property
    def said(self) -> list[Said]:
        lines = [line.split() for line in self._file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [Said(float(line[1]), float(line[2]), int(line[3])) for line in lines if line[0] == SAID]

    @property
    def leads(self) -> bool:
        return bool(self.said) and self.said[-1].epoch > 0

    def signal(self, number: int) -> float:
        self._process.send_signal(number)
        return running_clock()

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def elect(place: Namespace, tmp_path: Path) -> Iterator[Callable[[str], Elector]]:
    name = f"lease-{secrets.token_hex(3)}"
    electors: list[Elector] = []

    def start(identity: str) -> Elector:
        electors.append(Elector(place, name, identity, tmp_path))
        return electors[-1]

    yield start
    for elector in electors:
        elector.end()


def assert_one_leader(electors: Sequence[Elector]) -> None:
    """Check that no two ever led at the same time, by what each of them said of itself."""
    for one in electors:
        for other in electors:
            ours = [said for said in one.said if said.until > said.at]
            theirs = [said for said in other.said if said.until > said.at and other is not one]
            assert not [(a, b) for a in ours for b in theirs if a.at < b.until and b.at < a.until]


def test_a_leader_that_was_frozen_knows_that_it_leads_no_more(elect: Callable[[str], Elector]):
    first = elect("first")
    wait_until(lambda: first.leads, START, what="a leader")
    second = elect("second")
    wait_until(lambda: second.said, START, what="a second one")

    frozen = first.signal(signal.SIGSTOP)
    wait_until(lambda: second.leads, 15, what="another leader")
    took = second.said[-1].at - frozen
    woken = first.signal(signal.SIGCONT)
    wait_until(lambda: first.said[-1].at > woken + 3, 10, what="what the first says then")

    assert DURATION - 2 < took < 15
    assert not [said for said in first.said if said.at > woken and (said.epoch or said.until > said.at)]
    assert second.leads
    assert_one_leader([first, second])


def test_a_leader_that_ends_in_peace_is_followed_at_once(elect: Callable[[str], Elector]):
    first = elect("first")
    wait_until(lambda: first.leads, START, what="a leader")
    second = elect("second")
    wait_until(lambda: second.said, START, what="a second one")

    ended = first.signal(signal.SIGTERM)
    wait_until(lambda: second.leads, 5, what="another leader")

    led = [said.at for said in second.said if said.epoch]
    assert ended <= led[0] < ended + 4


def test_a_leader_that_is_killed_is_followed_within_fifteen_seconds(elect: Callable[[str], Elector]):
    first = elect("first")
    wait_until(lambda: first.leads, START, what="a leader")
    others = [elect("second"), elect("third")]
    wait_until(lambda: all(other.said for other in others), START, what="two others")

    killed = first.signal(signal.SIGKILL)
    next_one = wait_until(lambda: next((other for other in others if other.leads), None), 15, what="another leader")

    assert next_one.said[-1].at - killed < 15
    assert_one_leader([first, *others])


@pytest.mark.parametrize("clock", ["2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"])
def test_what_the_holders_clock_says_does_not_matter(place: Namespace, clock: str):
    name = f"clock-{clock[:4]}"
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 8, "renewTime": clock}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
    place.apply(lease)
    api = connected(place)
    mine = Lease(api, name, "mine")
    began = running_clock()
    mine.start()

    # As long as the other one renews it, it is his.
    for second in range(10):
        place.kubectl("patch", "lease", name, "--type=merge", "-p", json.dumps({"spec": {"leaseTransitions": second}}))
        wait_until(lambda at=began + second + 1: running_clock() > at, 5)
        assert mine.epoch() is None
    stopped = running_clock()
    wait_until(mine.epoch, 15, what="leadership")

    assert running_clock() - stopped > DURATION - 2
    mine.stop()
    api.close()
