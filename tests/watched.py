"""Asking a process's probes and metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


class Watched(ABC):
    """A process that serves endpoints on a port of its own choice and logs it."""

    @abstractmethod
    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines with this event."""

    def get(self, path: str) -> tuple[int, str]:
        port = self.events("endpoints_listening")[0]["port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def samples(self, name: str, *labels: str) -> dict[str, float]:
        """Return a metric's values by the given labels' values, joined by a blank."""
        text = self.get("/metrics")[1]
        every = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return {
            " ".join(sample.labels[label] for label in labels): sample.value for sample in every if sample.name == name
        }
