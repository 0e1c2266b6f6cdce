"""Every query of the dashboard, ready to be asked: variables are replaced by what they would be in the cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DASHBOARDS = Path(__file__).parents[2] / "charts/heavylift/dashboards"


@dataclass(frozen=True)
class PanelQuery:
    """One query, and the panel that shows it."""

    row: str
    panel: str
    expr: str


def dashboard_queries(
    *, namespace: str, release: str = ".*", queue: str = ".*", window: str = "5m", dashboard: str = "overview"
) -> Iterator[PanelQuery]:
    """Yield the queries of a dashboard in its order; `release` and `queue` are regular expressions, as in Grafana."""
    variables = {"$namespace": namespace, "$release": release, "$queue": queue}
    windows = {"$__rate_interval": window, "$__range": window}
    row = ""
    for panel in json.loads((DASHBOARDS / f"{dashboard}.json").read_text())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        for target in panel.get("targets", ()):
            expr = target["expr"]
            for name, value in (variables | windows).items():
                expr = expr.replace(name, value)
            yield PanelQuery(row, panel["title"], expr)
