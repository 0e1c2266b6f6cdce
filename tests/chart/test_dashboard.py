"""The dashboard is the one that charts/dashboard.py makes, and asks for what the services tell."""

from __future__ import annotations

import json
import re

import promql_parser
import pytest
from charts import dashboard

from tests.chart.series import TARGET, Series, existing_series
from tests.e2e.queries import PanelQuery, dashboard_queries

QUERIES = [*dashboard_queries(namespace=TARGET["namespace"])]


@pytest.fixture(scope="module")
def series(shared_redis) -> list[Series]:
    with shared_redis.client() as client:
        client.flushall()
    return existing_series(shared_redis.url)


def parts(expr: str) -> tuple[list[promql_parser.VectorSelector], set[str]]:
    """Return the selectors of an expression, and the labels it groups by."""
    selectors: list[promql_parser.VectorSelector] = []
    labels: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            selectors.append(node)
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            labels.update(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return selectors, labels


def matches(selector: promql_parser.VectorSelector, series: Series) -> bool:
    def holds(matcher: promql_parser.Matcher) -> bool:
        value = series.get(matcher.name, "")
        if matcher.op == promql_parser.MatchOp.Re:
            return re.fullmatch(matcher.value, value) is not None
        assert matcher.op == promql_parser.MatchOp.Equal, "teach this test the operator"
        return matcher.value == value

    return selector.name == series["__name__"] and all(map(holds, selector.matchers.matchers))


def test_the_committed_dashboard_is_the_one_that_is_made():
    assert dashboard.OVERVIEW.read_text() == dashboard.overview(), "run `make chart`"


def test_every_panel_is_asked():
    panels = [panel for panel in json.loads(dashboard.overview())["panels"] if panel["type"] != "row"]
    assert {query.panel for query in QUERIES} >= {panel["title"] for panel in panels}
    assert len(QUERIES) == sum(len(panel["targets"]) for panel in panels)
    assert not [query for query in QUERIES if "$" in query.expr]


def test_panels_lie_in_the_grid_and_on_no_other():
    places: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard.overview())["panels"]:
        x, y, width, height = (panel["gridPos"][side] for side in "xywh")
        place = {(column, line) for column in range(x, x + width) for line in range(y, y + height)}
        assert max(column for column, _ in place) < 24
        assert not places & place, panel["title"]
        places |= place


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.row}: {query.panel}")
def test_a_query_finds_series_that_exist_from_the_start(query: PanelQuery, series: list[Series]):
    selectors, labels = parts(query.expr)
    assert selectors
    found = [[one for one in series if matches(selector, one)] for selector in selectors]
    for selector, those in zip(selectors, found, strict=True):
        assert those, f"no such series: {selector.prettify()}"
    assert labels <= {label for those in found for one in those for label in one}


def test_no_series_of_ours_names_a_pod(series: list[Series]):
    labels = {label for one in series if one["__name__"].startswith("heavylift_") for label in one}
    assert labels.isdisjoint({"pod", "instance", "hostname", "worker", "node"})


@pytest.mark.parametrize("variable", [v for v in dashboard.VARIABLES if v["type"] == "query"], ids=lambda v: v["name"])
def test_a_variable_lists_a_label_of_series_that_exist(variable, series: list[Series]):
    found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
    assert found
    expr = found[1].replace("$namespace", TARGET["namespace"]).replace("$release", ".*")
    [selector], _ = parts(expr)
    assert [one for one in series if matches(selector, one) and found[2] in one]
