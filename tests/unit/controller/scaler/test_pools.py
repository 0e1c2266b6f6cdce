from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from heavylift.errors import ConfigurationError
from heavylift_controller.scaler.pools import Pools
from heavylift_controller.scaling import QueueTarget, Window

VIDEO = {
    "deployment": "rel-worker-video",
    "resource": "rel-video",
    "queues": {"video": {"targetWaitSeconds": 20, "priority": 2, "expectedServiceSeconds": 5.5}},
    "slots": 2,
    "min": 1,
    "max": 7,
    "minIdle": 1,
    "windows": [{"cron": "0 8 * * 1-5", "durationSeconds": 36000, "min": 2, "timezone": "Europe/Berlin"}],
    "manualHoldSeconds": 60,
    "freezeIn": True,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pools.json"


def write(file: Path, **pools: dict) -> None:
    """Replace the file as a mounted ConfigMap is: by another one."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"pools": pools}))
    fresh.replace(file)


def test_a_pool_is_read_as_it_is_written(file):
    write(file, video=VIDEO)
    pool = Pools(file).current["video"]
    settings = pool.settings
    assert (pool.deployment, pool.resource, pool.manual_hold_seconds) == ("rel-worker-video", "rel-video", 60)
    assert settings.queues == {"video": QueueTarget(20, 2, 5.5)}
    assert (settings.slots, settings.least, settings.most, settings.idle) == (2, 1, 7, 1)
    assert settings.windows == (Window("0 8 * * 1-5", 36000, 2, "Europe/Berlin"),)
    assert (settings.freeze_in, settings.freeze_out, settings.paused) == (True, False, False)


def test_what_is_left_out_has_the_policys_defaults(file):
    write(file, video={"queues": {"video": {}}})
    settings = Pools(file).current["video"].settings
    assert settings.queues == {"video": QueueTarget()}
    assert (settings.least, settings.most, settings.idle, settings.slots) == (0, 10, 0, 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"min": 9}, "pools.video: min is 9, max 7; allowed: min up to max"),
        ({"max": "7"}, "pools.video.max: Input should be a valid integer"),
        ({"maxx": 7}, "pools.video.maxx: Extra inputs are not permitted"),
        ({"queues": {}}, "pools.video.queues: "),
        ({"queues": {"video": {"targetWaitSeconds": 0}}}, "pools.video.queues.video.targetWaitSeconds: "),
        (
            {"windows": [{"cron": "0 25 * * *", "durationSeconds": 9, "min": 1}]},
            "pools.video.windows.0.cron: '0 25 * * *' is not a cron expression (bad hour): it takes five fields",
        ),
        (
            {"windows": [{"cron": "0 0 31 2 *", "durationSeconds": 9, "min": 1}]},
            "pools.video.windows.0.cron: '0 0 31 2 *' names a date that never comes",
        ),
        (
            {"windows": [{"cron": "0 8 * * *", "durationSeconds": 9, "min": 1, "timezone": "Mars/Olympus"}]},
            "pools.video.windows.0.timezone: 'Mars/Olympus' is not a time zone, such as Europe/Berlin",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(file, change, told):
    write(file, video=VIDEO | change)
    with pytest.raises(ConfigurationError) as raised:
        Pools(file)
    assert told in str(raised.value)
    assert str(file) in str(raised.value)


def test_a_missing_file_is_told(file):
    with pytest.raises(ConfigurationError, match=f"^HEAVYLIFT_POOLS_FILE: {file}: No such file"):
        Pools(file)


def test_a_changed_file_is_read_and_an_unchanged_one_is_not(file):
    write(file, video=VIDEO)
    pools = Pools(file)
    before = pools.current
    assert not pools.refresh()
    assert pools.current is before
    write(file, video=VIDEO | {"max": 8})
    assert pools.refresh()
    assert pools.current["video"].max == 8


@pytest.mark.parametrize("broken", ["{", '{"pools": {"video": {}}}', None])
def test_a_broken_new_file_changes_nothing_and_is_told_once(file, broken):
    write(file, video=VIDEO)
    pools = Pools(file)
    file.unlink() if broken is None else file.write_text(broken)
    with capture_logs() as logs:
        assert [pools.refresh(), pools.refresh()] == [False, False]
    assert [entry["event"] for entry in logs] == ["pools_file_refused"]
    assert pools.current["video"].max == 7
    assert str(file) in pools.error
    write(file, video=VIDEO)
    pools.refresh()
    assert pools.error == ""
