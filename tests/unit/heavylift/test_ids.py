from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import InvalidJobId
from heavylift.ids import LARGEST_BATCH, QUEUE_NAME, JobId, batch_uuid, created_ms, is_uuid7, new_job_id, parse_job_id


def test_an_id_is_its_queue_and_a_uuid_of_version_7() -> None:
    before = time.time_ns() // 1_000_000
    job_id = new_job_id("video.long")

    uuid = UUID(job_id.uuid)
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert before <= created_ms(job_id.uuid) <= time.time_ns() // 1_000_000
    assert str(job_id) == f"video.long-{uuid}"


@pytest.mark.parametrize("text", ["", "x" * 36, "Summer-film.of-7-and-8-minutes-no-01", str(UUID(int=5))])
def test_another_text_is_no_uuid_of_version_7(text: str) -> None:
    assert is_uuid7(new_job_id("a").uuid)
    assert not is_uuid7(text)
    assert not is_uuid7(f"{new_job_id('a').uuid}\n")


def test_later_ids_sort_later() -> None:
    first = new_job_id("a")
    deadline = time.time_ns() // 1_000_000 + 2
    while time.time_ns() // 1_000_000 < deadline:
        pass

    assert first.uuid < new_job_id("a").uuid


def test_ids_do_not_repeat() -> None:
    assert len({new_job_id("a").uuid for _ in range(10_000)}) == 10_000


@given(st.from_regex(QUEUE_NAME, fullmatch=True), st.uuids())
def test_what_is_written_is_read_back(queue: str, uuid: UUID) -> None:
    job_id = JobId(queue, str(uuid))

    assert parse_job_id(str(job_id)) == job_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "video",
        "video-",
        "video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6",
        "video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6aa",
        "video-0190F3A0-7B1E-7C33-8A55-2F1C9D0E4B6A",
        "video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a\n",
        "Video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
        "-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
        "1video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
        "video}{x-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
        f"{'v' * 64}-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
        "0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidJobId, match="is not a job id"):
        parse_job_id(text)


@given(st.text())
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        job_id = parse_job_id(text)
    except InvalidJobId:
        return
    assert str(job_id) == text


def test_the_uuids_of_a_batch_are_its_own_and_sort_as_sent() -> None:
    first = new_job_id("video").uuid
    uuids = [batch_uuid(first, index) for index in range(LARGEST_BATCH)]

    assert uuids == sorted(set(uuids))
    assert {UUID(uuid).version for uuid in uuids} == {7}
    assert {UUID(uuid).variant for uuid in uuids} == {"specified in RFC 4122"}
    assert {created_ms(uuid) for uuid in uuids} == {created_ms(first)}
