"""As much of Grafana's dashboard model as our dashboards use: a panel is a function, rows lay themselves out.

Grafana's own SDK types every field of every panel, but each of its releases is for one version of Grafana, and none is
called stable. What is used here is the same from Grafana 10 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Json = dict[str, object]

SCHEMA_VERSION = 39
"""Of the dashboard model: Grafana 10.4's. Later versions of Grafana migrate it when they load it."""

COLUMNS = 24
"""Width of Grafana's grid."""

NO_DATA = "no data"

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """One query of a panel; `legend` names its series after their labels (`{{queue}}`)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel; `body` is what its kind adds to the fields that all panels have."""

    kind: str
    title: str
    description: str
    queries: Sequence[Query]
    width: int
    height: int
    body: Json
    instant: bool = False

    def json(self, number: int, x: int, y: int) -> Json:
        """Return the panel as Grafana stores it."""
        how: Json = {"format": "table", "instant": True, "range": False} if self.instant else {"range": True}
        targets = [
            {"refId": chr(ord("A") + index), "datasource": DATASOURCE, "editorMode": "code"}
            | {"expr": query.expr, "legendFormat": query.legend}
            | how
            for index, query in enumerate(self.queries)
        ]
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": targets,
        } | self.body


@dataclass(frozen=True)
class Row:
    """Panels side by side under a heading; they wrap where the grid ends."""

    title: str
    panels: Sequence[Panel]


def stat(title: str, expr: str, *, description: str, unit: str, width: int, steps: Sequence[Json] = ()) -> Panel:
    """Return a number with its course behind it. `steps` colours it by value; the first one has no value."""
    body: Json = {
        "fieldConfig": _fields(unit, thresholds={"mode": "absolute", "steps": [*steps] or [step("text")]}),
        "options": {
            "colorMode": "value",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }
    return Panel("stat", title, description, [Query(expr)], width, 4, body)


def step(colour: str, value: float | None = None) -> Json:
    """Return a threshold: from this value on the colour changes."""
    return {"color": colour, "value": value}


def timeseries(
    title: str, *queries: Query, description: str, unit: str, width: int = 8, stacked: bool = False
) -> Panel:
    """Return lines over time, or areas on top of each other."""
    custom = {
        "lineWidth": 1,
        "showPoints": "never",
        "fillOpacity": 30 if stacked else 0,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    body: Json = {
        "fieldConfig": _fields(unit, custom=custom, min=0),
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
    return Panel("timeseries", title, description, queries, width, 8, body)


def table(title: str, key: str, columns: Sequence[tuple[str, str, str]], *, description: str, width: int) -> Panel:
    """Return a table of one line a value of the label `key`; a column is its heading, its unit and its query."""
    values = [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))]
    overrides: list[Json] = [
        {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "unit", "value": unit}]}
        for heading, unit, _ in columns
    ]
    body: Json = {
        "fieldConfig": _fields("short", overrides),
        "options": {"showHeader": True},
        "transformations": [
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {name: place for place, name in enumerate([key, *values])},
                    "renameByName": {value: heading for value, (heading, _, _) in zip(values, columns, strict=True)},
                },
            },
        ],
    }
    queries = [Query(expr) for _, _, expr in columns]
    return Panel("table", title, description, queries, width, 8, body, instant=True)


def datasource_variable() -> Json:
    """Return the choice of a Prometheus."""
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1}


def label_variable(name: str, query: str, *, everything: bool) -> Json:
    """Return the choice of a label's value; with `everything` several or all, a missing label included."""
    several = {"includeAll": True, "allValue": ".*", "multi": True, "current": {"text": ["All"], "value": ["$__all"]}}
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    } | (several if everything else {})


def dashboard(*, uid: str, title: str, description: str, variables: Sequence[Json], rows: Sequence[Row]) -> Json:
    """Return a dashboard as Grafana imports it."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["heavylift"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "templating": {"list": [*variables]},
        "annotations": {"list": []},
        "panels": [*_lay_out(rows)],
    }


def _lay_out(rows: Sequence[Row]) -> Iterator[Json]:
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
            "panels": [],
        }
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            number += 1
            yield panel.json(number, x, y)
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _fields(unit: str, overrides: Sequence[Json] = (), **defaults: object) -> Json:
    """Return how values are shown; 0/0 and nothing at all read `no data`."""
    nothing = {"type": "special", "options": {"match": "null+nan", "result": {"text": NO_DATA}}}
    return {
        "defaults": {"unit": unit, "noValue": NO_DATA, "mappings": [nothing]} | defaults,
        "overrides": [*overrides],
    }
