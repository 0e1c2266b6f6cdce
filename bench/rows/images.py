"""The container images: how large they are, and how soon a container works."""

from __future__ import annotations

import hashlib
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.containers import Container, base_of, build, size_of
from bench.contenders import HEAVYLIFT, PEERS
from bench.notes import Notes
from bench.options import Options
from bench.processes import BenchError, wait_until
from bench.redis_server import RedisServer
from bench.results import Bars, Result
from bench.rows.drain import rotated
from bench.spread import Spread
from heavylift import operations as ops
from heavylift.dev.ports import HOST, free_port
from heavylift.ids import new_job_id
from heavylift.model import JobStatus
from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_worker.jobs import transcode
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.sample import make_sample

MB = 1000**2
KEY = "bench"
FILM_SECONDS = 1
FILM_SIZE = Size(320, 240)
NOW = "import time; print(time.monotonic())"

HOW = f"""\
Sizes are unpacked; layers that images share are counted in each. Times run from `docker start` of a container that
was created before, read-only, with /tmp in memory, no capabilities and the host's network, to its answer 200 when it
is asked whether it is ready, and to its first job: for the API until it has accepted one, for `worker` until a job
that waited has begun, for `worker-video` until a film of {FILM_SECONDS} s that waited is transcoded. Of the base it
is until Python's first line, and it is whatever image has that name on the machine. Files are in the page cache; a
node that pulls the image first takes longer."""


@dataclass(frozen=True)
class Start:
    """What one start of a container took, in seconds."""

    ready: float
    first_job: float | None = None


@dataclass
class Found:
    """All rounds of one image."""

    ready: list[float] = field(default_factory=list)
    first_job: list[float] = field(default_factory=list)

    def add(self, start: Start) -> None:
        """Note a round."""
        self.ready.append(start.ready)
        if start.first_job is not None:
            self.first_job.append(start.first_job)


def measure(options: Options) -> Result:
    """Return the row."""
    images = sorted(build())
    base = base_of(images[0])
    found: dict[str, Found] = defaultdict(Found)
    for number in range(options.rounds + 1):
        for image in rotated((base, *images), number):
            folder = options.folder / f"images-{number}-{image.replace('/', '-').replace(':', '-')}"
            start = _start(image, folder)
            if number:  # the first round reads the files into the page cache
                found[image].add(start)
    return Result(
        row="images",
        title="Container images",
        how=HOW,
        columns=["", "MB", "MB without the base", "start to ready, s", "start to first job, s"],
        lines=[_line(image, base, found[image]) for image in (base, *images)],
        charts=[Bars("images", "From docker start to ready", "seconds", {i: Spread.of(found[i].ready) for i in found})],
        rounds={f"{image}, ready": each.ready for image, each in found.items()}
        | {f"{image}, first job": each.first_job for image, each in found.items() if each.first_job},
    )


def _line(image: str, base: str, found: Found) -> list[str]:
    own = f"{(size_of(image) - size_of(base)) / MB:.0f}" if image != base else ""
    first_job = Spread.of(found.first_job).text(2) if found.first_job else ""
    name = f"{image}, the base" if image == base else image
    return [name, f"{size_of(image) / MB:.0f}", own, Spread.of(found.ready).text(2), first_job]


def _start(image: str, folder: Path) -> Start:
    name = image.removeprefix("heavylift/").partition(":")[0]
    with RedisServer(folder) as server:
        return _STARTS.get(name, _start_base)(image, server, _opened(folder / "shared"))


def _start_base(image: str, _server: RedisServer, _folder: Path) -> Start:
    with Container(image, "-c", NOW, env={}, entrypoint="python3") as container:
        began = container.start()
        return Start(float(container.printed()) - began)


def _start_service(port_setting: str, path: str) -> Callable[[str, RedisServer, Path], Start]:
    def start(image: str, server: RedisServer, folder: Path) -> Start:
        port = free_port()
        with Container(image, env=_env(server, folder) | {port_setting: str(port)}) as container:
            began = container.start()
            return Start(container.await_ready(port, path) - began)

    return start


def _start_api(image: str, server: RedisServer, folder: Path) -> Start:
    port = free_port()
    HEAVYLIFT.call(server, folder / "notes", "publish")
    with Container(image, env=_env(server, folder) | {"HEAVYLIFT_PORT": str(port)}, folders=[folder]) as container:
        began = container.start()
        ready = container.await_ready(port, "/readyz")
        _accepted(port)
        return Start(ready - began, time.monotonic() - began)


def _accepted(port: int) -> None:
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v1/jobs",
        data=orjson.dumps({"type": "bench.note", "input": {"number": 0}}),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        if answer.status != 202:
            raise BenchError(f"the API answered {answer.status} to its first job")


def _start_worker(image: str, server: RedisServer, folder: Path) -> Start:
    notes = Notes(folder / "notes")
    notes.path.chmod(0o666)
    HEAVYLIFT.call(server, notes.path, "fill", "1")
    port = free_port()
    env = _env(server, folder) | {
        "HEAVYLIFT_METRICS_PORT": str(port),
        "HEAVYLIFT_JOBS": HEAVYLIFT.module,
        "PYTHONPATH": str(PEERS),
    }
    with Container(image, env=env, folders=[folder, PEERS]) as container:
        began = container.start()
        ready = container.await_ready(port, "/readyz")
        wait_until(lambda: notes.count() > 0, what="the worker's first job", seconds=30)
        return Start(ready - began, notes.moments()[0] - began)


def _start_video(image: str, server: RedisServer, folder: Path) -> Start:
    film = _opened(folder / "artifacts") / "film.mp4"
    make_sample(film, seconds=FILM_SECONDS, size=FILM_SIZE)
    store = Store.from_settings(Settings(redis_url=server.url))
    job = ops.Submission(new_job_id("video"), transcode.info(), orjson.dumps({"source": film.name}))
    store.run(ops.submit(store.keys, "video", [job]))
    port = free_port()
    env = _env(server, folder) | {"HEAVYLIFT_METRICS_PORT": str(port)}
    with Container(image, env=env, folders=[folder]) as container:
        began = container.start()
        ready = container.await_ready(port, "/readyz")
        wait_until(lambda: _succeeded(store, job), what="the film's end", seconds=60)
        return Start(ready - began, time.monotonic() - began)


def _succeeded(store: Store, job: ops.Submission) -> bool:
    found = store.run(ops.read_job(store.keys, job.id))
    if found and found.status is JobStatus.FAILED:
        raise BenchError(f"the film was not transcoded: {found.error}")
    return found is not None and found.status is JobStatus.SUCCEEDED


def _env(server: RedisServer, folder: Path) -> dict[str, str]:
    return {
        "HEAVYLIFT_REDIS_URL": server.url,
        "HEAVYLIFT_ARTIFACTS_URL": (folder / "artifacts").as_uri(),
        "HEAVYLIFT_API_KEYS": f"bench:{hashlib.sha256(KEY.encode()).hexdigest()}",
        "HEAVYLIFT_FLOWER_OPEN": "true",
        "HEAVYLIFT_LOG_LEVEL": "warning",
        "BENCH_NOTES": str(folder / "notes"),
        "BENCH_REDIS_URL": server.url,
    }


def _opened(folder: Path) -> Path:
    """Make a folder that a container's user may write."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    return folder


_STARTS: dict[str, Callable[[str, RedisServer, Path], Start]] = {
    "api": _start_api,
    "controller": _start_service("HEAVYLIFT_METRICS_PORT", "/readyz"),
    "flower": _start_service("HEAVYLIFT_FLOWER_PORT", "/healthcheck"),
    "worker": _start_worker,
    "worker-video": _start_video,
}
"""By image; any other one is the base."""
