"""Runs in the prober's pod, with the standard library alone: a line of JSON for each request."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request

API = os.environ["API"]
JOB_TYPE = os.environ["JOB_TYPE"]
HEADERS = {"Authorization": f"Bearer {os.environ['API_KEY']}", "Content-Type": "application/json"}
PAUSE = 0.03
"""Short beside the moment in which a pod that ends is still named by the Service."""
PATIENCE = 10
"""Seconds an answer may take: above the API's own limit for one."""


def ask(path: str, body: bytes | None) -> dict[str, object]:
    """Send one request and say what came of it."""
    said: dict[str, object] = {"at": time.time(), "path": path, "status": 0}
    request = urllib.request.Request(API + path, data=body, headers=HEADERS)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            content = json.load(answer)
            said |= {"status": answer.status, "job": content.get("id")}
    except urllib.error.HTTPError as error:
        said |= {"status": error.code, "error": error.read(300).decode(errors="replace")}
        said["retry_after"] = error.headers.get("Retry-After")
    except (OSError, ValueError) as error:
        said["error"] = f"{type(error).__name__}: {error}"
    return said


def main() -> None:
    """Read and submit in turn, for ever."""
    job = json.dumps({"type": JOB_TYPE, "input": {"seconds": 0.01}}).encode()
    while True:
        print(json.dumps(ask("/v1/queues", None)))
        if JOB_TYPE:
            print(json.dumps(ask("/v1/jobs", job)))
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
