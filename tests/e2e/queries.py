"""Every query of a dashboard, ready to be asked: its variables are replaced by what they would be in the cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.manifests import Manifest

DASHBOARDS = Path(__file__).parents[2] / "charts/heavylift/dashboards"


@dataclass(frozen=True)
class PanelQuery:
    """One query, and the panel that shows it."""

    row: str
    panel: str
    expr: str


def dashboard_queries(
    dashboard: Manifest | None = None, *, namespace: str, release: str = ".*", queue: str = ".*", window: str = "5m"
) -> Iterator[PanelQuery]:
    """Yield the queries of a dashboard (the committed overview) in its order.

    `release` and `queue` are regular expressions, as in Grafana; `window` takes the place of `$__rate_interval`.
    """
    dashboard = dashboard or json.loads((DASHBOARDS / "overview.json").read_text())
    variables = {
        "$namespace": namespace,
        "$release": release,
        "$queue": queue,
        "$__rate_interval": window,
        "$__range": window,
    }
    row = ""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        for target in panel.get("targets", ()):
            expr = target["expr"]
            for name, value in variables.items():
                expr = expr.replace(name, value)
            yield PanelQuery(row, panel["title"], expr)
