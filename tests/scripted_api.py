"""An HTTP server on loopback whose answers a test writes down in order: also broken connections and wrong bytes."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What to answer to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    """Close the connection after so many bytes of the body, whose length was promised in full."""


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def problem(status: int, detail: str, **headers: str) -> Answer:
    """Answer with an RFC 9457 problem."""
    return answer({"title": "Refused", "status": status, "detail": detail}, status, **headers)


def events(*entries: Mapping[str, object], drop_after: int | None = None) -> Answer:
    """Answer with a stream of events; entries without an id are progress."""
    lines = []
    for entry in entries:
        name = [f"id: {entry['id']}"] if "id" in entry else []
        lines += [*name, f"event: {entry['event']}", f"data: {json.dumps(entry)}", ""]
    body = "\n".join([*lines, ""]).encode()
    return Answer(200, body, {"Content-Type": "text/event-stream"}, drop_after)


def drop() -> Answer:
    """Close the connection without an answer."""
    return Answer(status=0)


class ScriptedApi:
    """The server. Requests beyond the script are answered with 599, which fails the test that sent them."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: list[Answer] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def script(self, *answers: Answer) -> None:
        self._answers.extend(answers)

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                self.close_connection = True
                if self.raw_requestline and self.parse_request():
                    api._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Write nothing: stderr is what tests of the command line look at."""

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.requests.append(Request(handler.command, handler.path, dict(handler.headers), body))
        given = self._answers.pop(0) if self._answers else Answer(599, b"beyond the script")
        if given.status == 0:
            return
        handler.send_response(given.status)
        for name, value in {"Content-Length": str(len(given.body)), "Connection": "close", **given.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(given.body[: given.drop_after])

    def __enter__(self) -> ScriptedApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def job(**fields: object) -> dict[str, object]:
    """Return a job as the API shows it."""
    return {
        "id": "video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a",
        "type": "video.transcode",
        "queue": "video",
        "status": "queued",
        "priority": "normal",
        "created_at": "2026-01-02T03:04:05Z",
        **fields,
    }
