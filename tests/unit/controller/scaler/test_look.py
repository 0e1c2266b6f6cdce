from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.operations import QueueScene, RunningJob, WorkerReport
from heavylift_controller.scaler.look import LIVELY, SILENT, Look, Watch
from heavylift_controller.scaler.platform import Pod, Sight, Stage
from heavylift_controller.scaler.pools import Pool, PoolQueue
from heavylift_controller.scaler.reading import Reading
from heavylift_controller.scaling import Phase, Running

NOW = 1_800_000_000.0
RUNNING = Pod("a", 60.0, Stage.RUNNING, ready=True)
REPORT = WorkerReport("video", "boot", 1, ("video",), paused=False, beat=1, booted_at=NOW - 58, version="0")
POOL = Pool(queues={"video": PoolQueue(), "thumbs": PoolQueue()})


def scene(*workers: str, **marks: float) -> QueueScene:
    running = tuple(RunningJob(f"uuid-{name}", "video.test", name, 5.0) for name in workers)
    return QueueScene(NOW, 0, 0.0, 7, {}, running, marks, 1)


def look(
    *pods: Pod,
    video: QueueScene | None = None,
    thumbs: QueueScene | None = None,
    reports: dict[str, WorkerReport] | None = None,
    more: dict[str, QueueScene] | None = None,
    watch: Watch | None = None,
    at: float = 0.0,
) -> Look:
    scenes = {"video": video or scene(), "thumbs": thumbs or scene(), **(more or {})}
    reports = {"a": REPORT} if reports is None else reports
    served = {report.pool: frozenset(report.queues) for report in reports.values()}
    reading = Reading(at, scenes, reports, {}, NOW, served)
    watch = watch or Watch()
    watch.note(reading)
    names = frozenset(pod.name for pod in pods)
    return Look("video", POOL, Sight(len(pods), pods), reading, watch, NOW, names)


def phase(found: Look) -> Phase:
    [worker] = found.workers
    return worker.phase


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.PENDING, Phase.BOOTING),
        (Stage.UNSCHEDULABLE, Phase.UNSCHEDULABLE),
        (Stage.STARTING, Phase.BOOTING),
        (Stage.RUNNING, Phase.UNKNOWN),
        (Stage.FAILING, Phase.FAILING),
    ],
)
def test_a_pod_without_a_report_is_on_its_way_or_unknown(stage, expected):
    assert phase(look(replace(RUNNING, stage=stage), reports={})) is expected


def test_a_worker_that_reports_is_ready_even_before_its_first_probe():
    assert phase(look(replace(RUNNING, stage=Stage.STARTING, ready=False))) is Phase.READY


def test_a_worker_that_is_marked_or_says_that_it_pauses_drains():
    assert phase(look(RUNNING, video=scene(a=60.0))) is Phase.DRAINING
    assert phase(look(RUNNING, reports={"a": replace(REPORT, paused=True)})) is Phase.DRAINING


def test_a_report_that_stands_still_makes_a_worker_unknown_unless_it_holds_a_job():
    watch = Watch()
    look(RUNNING, watch=watch)
    assert phase(look(RUNNING, watch=watch, at=SILENT - 1)) is Phase.READY
    assert phase(look(RUNNING, watch=watch, at=SILENT)) is Phase.UNKNOWN
    assert phase(look(RUNNING, watch=watch, at=SILENT, video=scene("a"))) is Phase.READY
    assert phase(look(RUNNING, watch=watch, at=SILENT, reports={"a": replace(REPORT, beat=2)})) is Phase.READY


def test_a_worker_holds_what_the_store_says_whatever_it_reports():
    found = look(RUNNING, video=scene("a"), reports={})
    assert found.workers[0].running == (Running("video", "video.test", 5.0),)
    assert found.seen(settled=True, left=8.0, began=lambda name: 0.0).members[0].busy


def test_the_time_a_worker_took_to_boot_is_from_its_pods_creation_to_its_first_report():
    assert look(RUNNING).workers[0].booted_in == pytest.approx(2.0)
    assert look(RUNNING, reports={}).workers[0].booted_in is None


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_the_time_a_worker_took_to_boot_is_not_by_the_clock_of_redis(ahead):
    began_at = REPORT.booted_at - ahead - 2
    report = replace(REPORT, booted_at=REPORT.booted_at - ahead)
    found = look(replace(RUNNING, began_at=began_at), reports={"a": report})
    assert found.workers[0].booted_in == pytest.approx(2.0)


def test_pods_that_were_told_to_end_count_no_more_but_their_jobs_do():
    leaving = replace(RUNNING, name="b", leaving=True)
    found = look(RUNNING, leaving, video=scene("b"), reports={"a": REPORT, "b": REPORT})
    assert [worker.name for worker in found.workers] == ["a"]
    assert found.running == 1


def test_jobs_of_another_pools_workers_are_not_counted_here():
    other = replace(REPORT, pool="other")
    found = look(RUNNING, video=scene("a", "x", "y"), reports={"a": REPORT, "x": other})
    assert found.running == 2


def test_one_who_holds_jobs_and_is_nobody_may_be_a_pod_that_has_not_reported():
    starting = replace(RUNNING, stage=Stage.STARTING)
    assert phase(look(starting, reports={}, video=scene("nobody"))) is Phase.UNKNOWN
    for pool, expected in (("video", Phase.UNKNOWN), ("", Phase.UNKNOWN), ("other", Phase.BOOTING)):
        report = replace(REPORT, pool=pool)
        assert phase(look(starting, reports={"nobody": report}, video=scene("nobody"))) is expected


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.FAILING, Phase.UNKNOWN),
        (Stage.PENDING, Phase.BOOTING),
        (Stage.UNSCHEDULABLE, Phase.UNSCHEDULABLE),
    ],
)
def test_a_pod_that_fails_may_be_at_work_under_another_name_one_that_never_ran_may_not(stage, expected):
    pod = replace(RUNNING, stage=stage)
    assert phase(look(pod, reports={}, video=scene("nobody"))) is expected
    known = {"nobody": replace(REPORT, pool="other")}
    assert phase(look(replace(pod, stage=Stage.FAILING), reports=known, video=scene("nobody"))) is Phase.FAILING
    assert phase(look(replace(pod, stage=Stage.FAILING), video=scene("nobody"))) is Phase.FAILING


def test_a_pod_that_fails_is_a_worker_as_any_while_it_holds_a_job():
    failing = replace(RUNNING, stage=Stage.FAILING, ready=False)
    assert phase(look(failing, video=scene("a"))) is Phase.READY
    assert phase(look(failing, video=scene("a"), reports={})) is Phase.UNKNOWN


def test_a_pod_that_fails_is_a_worker_as_any_while_it_goes_on_reporting():
    failing, watch = replace(RUNNING, stage=Stage.FAILING, ready=False), Watch()
    again = {"a": replace(REPORT, beat=2)}
    assert phase(look(failing, watch=watch)) is Phase.FAILING
    assert phase(look(failing, watch=watch, at=10, reports=again)) is Phase.READY
    assert phase(look(failing, watch=watch, at=10 + LIVELY, reports=again)) is Phase.FAILING
    started_anew = {"a": replace(REPORT, beat=1, boot="another")}
    assert phase(look(failing, watch=watch, at=11 + LIVELY, reports=started_anew)) is Phase.FAILING


def test_a_mark_counts_for_as_long_as_the_shortest_of_its_queues():
    assert look(RUNNING, video=scene(a=60.0), thumbs=scene(a=50.0)).marks == {"a": 50.0}
    assert look(RUNNING, video=scene(a=60.0)).marks == {"a": 0.0}


def test_a_queue_that_workers_still_serve_counts_though_the_pool_has_it_no_more():
    report = replace(REPORT, queues=("video", "old"))
    assert look(RUNNING, reports={"a": report}).unread == ["old"]
    found = look(RUNNING, reports={"a": report}, more={"old": scene("a")})
    assert (found.unread, len(found.workers[0].running)) == ([], 1)
    assert set(found.state().queues or ()) == {"video", "thumbs"}


def test_a_mark_of_nobodys_pod_is_a_stray_unless_it_is_of_another_pools_worker():
    other = replace(REPORT, pool="other")
    found = look(RUNNING, video=scene(gone=9.0, x=9.0), reports={"a": REPORT, "x": other})
    assert found.seen(settled=True, left=8.0, began=lambda name: 0.0).strays == {"gone"}


def test_a_drain_waits_since_the_first_of_those_that_are_marked():
    found = look(RUNNING, replace(RUNNING, name="b"), video=scene(a=9.0, b=9.0), at=20.0)
    began = {"a": 12.0, "b": 15.0}
    assert found.seen(settled=True, left=8.0, began=began.__getitem__).waited == 8.0


def test_how_long_a_worker_has_had_no_job():
    watch = Watch()
    look(RUNNING, watch=watch, video=scene("a"), at=0.0)
    look(RUNNING, watch=watch, at=10.0)
    found = look(RUNNING, watch=watch, at=14.0)
    assert found.seen(settled=True, left=8.0, began=lambda name: 0.0).members[0].idle == 4.0


def test_a_queue_counts_whole_for_each_pool_that_serves_it() -> None:
    elsewhere = replace(REPORT, pool="other")
    found = look(RUNNING, video=replace(scene("b"), waiting=5), reports={"a": REPORT, "b": elsewhere})

    state = found.state()
    assert (state.queues or {})["video"].waiting == 5
    assert [worker.name for worker in found.workers] == ["a"]
    assert found.running == 0
