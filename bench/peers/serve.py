"""Serves `MODULE PORT` with the settings of Heavylift's own server: uvloop, httptools, no access log, frozen heap."""

from __future__ import annotations

import gc
import importlib
import sys

import uvicorn

from heavylift_api.server import listen, server_config
from heavylift_api.settings import ApiSettings


def main(module: str, port: int) -> None:
    """Serve until SIGTERM."""
    application = importlib.import_module(module).http
    listener = listen("127.0.0.1", port)
    gc.collect()
    gc.freeze()
    with listener:
        uvicorn.Server(server_config(application, ApiSettings())).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
