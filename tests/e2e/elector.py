"""A process that takes part in an election and writes down, many times a second, whether it leads and until when.

python -m tests.e2e.elector KUBECONFIG NAMESPACE LEASE IDENTITY
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from heavylift_controller.cluster.api import Api
from heavylift_controller.cluster.lease import Lease, running_clock

EVERY = 0.05
SAID = "said"
"""Begins a line: the time, until when it leads, and the number of its leadership."""


def main(kubeconfig: str, namespace: str, name: str, identity: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    api = Api.from_kubeconfig(Path(kubeconfig), namespace)
    lease = Lease(api, name, identity)
    lease.start()
    while not stop.wait(EVERY):
        now = running_clock()  # before `left`: what is written claims no more than what was said
        print(f"{SAID} {now:.3f} {now + lease.left():.3f} {lease.epoch() or 0}", flush=True)
    lease.stop()
    api.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
