"""The number of workers as JSON, for KEDA's `metrics-api` trigger or whatever else reads a number over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping

from heavylift_controller.keda.answers import Answers, UndecidedError, UnknownPoolError

PATH = re.compile("/v1/pools/([^/]+)/desired")


def desired(answers: Answers, path: str) -> tuple[str, Mapping[str, object]] | None:
    """Answer `/v1/pools/{pool}/desired`: `{"desired": 3}`, or an error and its reason, never a zero for not known."""
    found = PATH.fullmatch(path)
    if found is None:
        return None
    try:
        return "200 OK", {"desired": answers.of(found[1]).number}
    except UnknownPoolError as error:
        return "404 Not Found", {"reason": str(error)}
    except UndecidedError as error:
        return "503 Service Unavailable", {"reason": str(error)}
