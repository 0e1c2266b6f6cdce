"""Fetching artifacts over connections that break."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from heavylift.client import ApiUnreachable, DownloadCorrupted, NoSuchArtifact
from tests.scripted_api import Answer, ScriptedApi, answer, drop, job
from tests.unit.client.conftest import Call

ID = str(job()["id"])
CONTENT = bytes(range(256)) * 400


def record(content: bytes = CONTENT) -> Answer:
    artifact = {
        "name": "720p.mp4",
        "role": "output",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "video/mp4",
        "url": f"/v1/jobs/{ID}/artifacts/720p.mp4",
    }
    return answer(job(status="succeeded", artifacts=[artifact]))


def rest(start: int) -> Answer:
    return Answer(206, CONTENT[start:], {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"})


def test_a_download_lands_in_the_file_or_folder_named(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    api.script(record(), Answer(body=CONTENT), record(), Answer(body=CONTENT))
    assert call(lambda c: c.download(ID, "720p.mp4", tmp_path / "film.mp4")) == tmp_path / "film.mp4"
    assert call(lambda c: c.download(ID, "720p.mp4", tmp_path)) == tmp_path / "720p.mp4"
    assert (tmp_path / "film.mp4").read_bytes() == (tmp_path / "720p.mp4").read_bytes() == CONTENT
    assert len(list(tmp_path.iterdir())) == 2


def test_a_broken_download_asks_for_the_rest_only(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    api.script(record(), Answer(body=CONTENT, drop_after=5000), drop(), rest(5000))
    path = call(lambda c: c.download(ID, "720p.mp4", tmp_path))
    assert path.read_bytes() == CONTENT
    assert api.requests[-1].headers["Range"] == "bytes=5000-"


def test_an_api_that_ignores_ranges_is_read_from_the_beginning(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    api.script(record(), Answer(body=CONTENT, drop_after=5000), Answer(body=CONTENT))
    assert call(lambda c: c.download(ID, "720p.mp4", tmp_path)).read_bytes() == CONTENT


def test_a_later_call_continues_what_one_that_gave_up_left(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    api.script(record(), Answer(body=CONTENT, drop_after=7000), *(drop() for _ in range(4)))
    with pytest.raises(ApiUnreachable):
        call(lambda c: c.download(ID, "720p.mp4", tmp_path))
    assert not (tmp_path / "720p.mp4").exists()
    api.script(record(), rest(7000))
    assert call(lambda c: c.download(ID, "720p.mp4", tmp_path)).read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    api.script(record(), Answer(body=CONTENT[::-1]))
    with pytest.raises(DownloadCorrupted, match="its record says"):
        call(lambda c: c.download(ID, "720p.mp4", tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_answered_with_those_there_are(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    api.script(record())
    with pytest.raises(NoSuchArtifact, match=r"It has: 720p\.mp4"):
        call(lambda c: c.download(ID, "480p.mp4", tmp_path))
