"""What the last release of the chart rendered: values as they were given then, and the fields that can never change.

A release writes them anew: `python -m tests.chart.last_release`. Files of one name belong together.
"""

from pathlib import Path

HERE = Path(__file__).parent
VALUES = HERE / "values"
FIELDS = HERE / "fields"
DEFAULTS = HERE / "defaults.yaml"
"""Its values.yaml, which `helm upgrade --reuse-values` lays under the values instead of the new one."""
