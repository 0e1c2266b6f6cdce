from __future__ import annotations

from random import Random

import pytest
from bench.simulator import traces
from bench.simulator.cluster import Cluster, ClusterSpec
from bench.simulator.policies import Arc, Behavior, Keda, Ours
from bench.simulator.report import Comparison, goals
from bench.simulator.run import Outcome, run
from bench.simulator.workload import Arrival, NodeLoss, Outage, Workload
from bench.simulator.workloads import MAKERS

ONE_SLOT = ClusterSpec(slots=1, boot_spread=0.0, nodes=1)


class Fixed:
    """Asks for some workers at given times."""

    name = "fixed"

    def __init__(self, *replicas: tuple[float, int], grace: float = 600.0) -> None:
        self.grace = grace
        self._replicas = replicas

    def start(self, cluster: Cluster) -> None:
        for at, replicas in self._replicas:
            cluster.clock.at(at, lambda replicas=replicas: cluster.scale(replicas))


def jobs(count: int, service: float, *, at: float = 0.0) -> list[Arrival]:
    return [(at, service, "default")] * count


def outcome(arrivals: list[Arrival], policy, spec: ClusterSpec = ONE_SLOT, **faults) -> Outcome:
    return run(Workload("test", arrivals, **faults), policy, spec)


@pytest.mark.parametrize(("together", "seconds"), [(1, 1.9), (8, 9.5)])
def test_pods_that_boot_together_take_as_long_as_measured(together, seconds):
    found = outcome(jobs(together, 1.0), Fixed((0, together)))
    assert found.waits[-1] == pytest.approx(seconds, abs=0.01)


def test_one_worker_takes_jobs_one_after_the_other():
    assert outcome(jobs(3, 10.0), Fixed((0, 1))).waits == pytest.approx([1.9, 11.9, 21.9])


def test_pods_cost_from_creation_until_they_have_ended():
    """It boots for 1.9 s, works until 11.9 s, is told to go at 5 s, and takes one more second to end."""
    found = outcome(jobs(1, 10.0), Fixed((0, 1), (5, 0)))
    assert (found.pod_seconds, found.interrupted) == (pytest.approx(12.9), 0)


def test_a_job_that_outlasts_the_grace_is_interrupted_and_runs_again():
    found = outcome(jobs(1, 100.0), Fixed((0, 1), (5, 0), (50, 1), grace=30.0))
    assert (found.interrupted, found.unfinished) == (1, 0)


def test_jobs_of_a_lost_node_run_again_without_counting_as_interrupted():
    found = outcome(jobs(1, 100.0), Fixed((0, 1), (60, 2)), node_losses=(NodeLoss(50),))
    assert (found.interrupted, found.unfinished) == (0, 0)


def test_nothing_is_claimed_while_redis_is_away():
    found = outcome(jobs(1, 1.0), Fixed((0, 1)), outages=(Outage(1, 60),))
    assert found.waits == pytest.approx([60.0])


def test_the_same_seed_gives_the_same_run():
    found = [run(MAKERS["step"](Random(3)), Ours(30), ClusterSpec(), seed=3) for _ in range(2)]
    assert found[0] == found[1]


def test_arc_buys_a_slot_for_each_job_and_deletes_only_idle_runners():
    found = outcome(jobs(5, 20.0) + jobs(1, 1.0, at=400.0), Arc())
    assert (found.peak, found.interrupted) == (5, 0)


def test_an_hpa_at_most_doubles_or_adds_four_at_each_sync():
    found = outcome(jobs(60, 30.0), Keda("keda", target=1, behavior=Behavior()))
    last_of_moment = dict(found.pods)
    assert [pods for pods in last_of_moment.values() if pods][:4] == [1, 5, 10, 20]


def test_keda_on_the_lists_length_kills_running_jobs_and_ours_does_not():
    """Ten jobs of ten minutes are all running: the list is empty, so KEDA sees nothing to keep workers for."""
    arrivals = jobs(10, 600.0)
    assert outcome(arrivals, Keda("keda", target=1, grace=30.0)).interrupted > 0
    assert outcome(arrivals, Ours(30.0)).interrupted == 0


def test_ours_goes_from_none_to_many_in_one_change_and_back_to_none():
    found = outcome(jobs(20, 60.0), Ours(30.0))
    assert found.pods[-1][1] == 0
    assert found.within(30.0) == 1.0
    assert found.pods[1][0] <= 0.2


def test_ours_changes_nothing_while_redis_is_away():
    changes = []

    class Watched(Ours):
        def start(self, cluster):
            super().start(cluster)
            cluster.clock.at(199, lambda: changes.append(len(cluster.changes)))
            cluster.clock.at(259, lambda: changes.append(len(cluster.changes)))

    outcome(jobs(8, 150.0), Watched(30.0), outages=(Outage(140, 260),))
    assert changes[0] == changes[1]


@pytest.mark.parametrize("name", sorted(MAKERS))
@pytest.mark.parametrize("seed", [11, 12])
def test_the_goals_hold_for_other_seeds_than_the_pages(name, seed):
    workload = MAKERS[name](Random(seed))
    compared = Comparison(
        workload, 30.0, [run(workload, policy, ClusterSpec(), seed=seed) for policy in (Ours(30), Arc())]
    )
    assert [goal.what for goal in goals([compared]) if not goal.reached] == []


class TestTraces:
    @pytest.fixture
    def trace(self, tmp_path):
        def written(text: str) -> Workload:
            path = tmp_path / "some.csv"
            path.write_text(text)
            return traces.read(path, most=60)

        return written

    def test_jobs_are_sorted_and_the_queue_may_be_left_out(self, trace):
        found = trace("arrival_seconds,service_seconds,queue\n5,2.5,video\n\n1,3\n")
        assert list(found.jobs) == [(1.0, 3.0, "default"), (5.0, 2.5, "video")]
        assert found.queues == ["default", "video"]

    def test_the_names_may_be_left_out(self, trace):
        assert list(trace("0,1\n").jobs) == [(0.0, 1.0, "default")]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "holds no jobs"),
            ("arrival_seconds,service\n1,2\n", ":1: the columns are arrival_seconds,service"),
            ("1,2\n3\n", ":2: 1 values; give arrival_seconds,service_seconds"),
            ("1,2\nsoon,2\n", ":2: arrival_seconds is 'soon'; give seconds"),
            ("1,-2\n", ":1: service_seconds is -2; give a number of seconds from 0"),
            ("1,nan\n", ":1: service_seconds is nan"),
        ],
    )
    def test_a_bad_line_is_named(self, trace, text, told):
        with pytest.raises(traces.TraceError, match=told):
            trace(text)
