"""The chart's README is made from the comments of values.yaml."""

from __future__ import annotations

import pytest
from charts import readme

SAMPLE = """\
# Not for the README.
# -- How many there are,
# on all nodes.
count: 2

# -- What one pod gets.
resources:
  limits: {cpu: 1}

# -- The front door.
api:
  # -- `a|b`
  mode: "a"
  probes:
    # -- Seconds.
    period: 5
"""


def test_a_value_has_its_default_and_the_text_above_it():
    page = readme.render("# Head", readme.read(SAMPLE))

    assert page.startswith("# Head\n")
    assert "| `count` | `2` | How many there are, on all nodes. |" in page
    assert r'| `api.mode` | `"a"` | `a\|b` |' in page
    assert "| `api.probes.period` | `5` | Seconds. |" in page
    assert "### api\n\nThe front door.\n" in page


def test_a_map_whose_values_are_not_described_is_one_value():
    page = readme.render("", readme.read(SAMPLE))

    assert '| `resources` | `{"limits": {"cpu": 1}}` | What one pod gets. |' in page
    assert "resources.limits" not in page


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ("bare: 1\n", "bare"),
        ("box:\n  # -- Said.\n  one: 1\n  two: 2\n", "box.two"),
        ("# -- Far above.\n\nbare: 1\n", "bare"),
        ("box: {one: 1}\n", "box"),
    ],
)
def test_a_value_that_nothing_describes_is_named(more, name):
    assert readme.undocumented(readme.read(SAMPLE + more)) == [name]


def test_every_value_of_the_chart_is_described():
    assert not readme.undocumented(readme.read((readme.CHART / "values.yaml").read_text()))


def test_the_committed_readme_is_the_one_that_is_made():
    assert (readme.CHART / "README.md").read_text() == readme.current(), "run `make chart`"
