"""An API server that lists and watches what a test puts into it, forbids what the test says, and can be restarted."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from kubernetes.client.configuration import Configuration

from heavylift_controller.cluster.api import Api, JsonObject


class ApiServer:
    """The server. A kind is a path's last part; one without objects has none."""

    def __init__(self) -> None:
        self.objects: dict[str, list[JsonObject]] = {}
        self.refusals: dict[str, int] = {}
        """Kind -> the status with which it is refused."""
        self.refused: Counter[str] = Counter()
        """Kind -> how often it was."""
        self.watches: Counter[str] = Counter()
        """Kind -> how many watches of it were opened."""
        self._restarted = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.api = Api(Configuration(host=f"http://127.0.0.1:{self._server.server_port}"), "media")

    def restart(self) -> None:
        """End all that is open, as a server does that goes and comes back."""
        ended, self._restarted = self._restarted, threading.Event()
        ended.set()

    def close(self) -> None:
        self.api.close()
        self.restart()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                server._answer(self, asked.path.rpartition("/")[2], watch="watch" in parse_qs(asked.query))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Write nothing."""

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler, kind: str, *, watch: bool) -> None:
        restarted = self._restarted
        status = self.refusals.get(kind, 200)
        handler.send_response(status)
        if status != 200:
            handler.end_headers()
            handler.wfile.write(json.dumps({"message": "no"}).encode())
            self.refused[kind] += 1
        elif watch:
            handler.end_headers()
            handler.wfile.flush()
            self.watches[kind] += 1
            restarted.wait(20)
        else:
            handler.end_headers()
            listed = {"metadata": {"resourceVersion": "5"}, "items": self.objects.get(kind, [])}
            handler.wfile.write(json.dumps(listed).encode())
