"""Serves `MODULE PORT` with the settings of Heavylift's own server: uvloop, httptools, no access log, frozen heap."""

from __future__ import annotations

import gc
import importlib
import sys

from heavylift_api.server import ApiServer, listen, server_config
from heavylift_api.settings import ApiSettings


class Server(ApiServer):
    """Heavylift's server, for an application without its services."""

    async def shutdown(self, sockets=None) -> None:
        """Stop as uvicorn does."""
        await super(ApiServer, self).shutdown(sockets)


def main(module: str, port: int) -> None:
    """Serve until SIGTERM."""
    application = importlib.import_module(module).http
    listener = listen("127.0.0.1", port)
    gc.collect()
    gc.freeze()
    with listener:
        Server(server_config(application, ApiSettings())).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
