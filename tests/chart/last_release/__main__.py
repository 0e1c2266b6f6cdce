"""Writes the folder anew from the chart as it is: part of making a release, never of changing the chart."""

import os

import yaml

from tests.chart.conftest import VALUES as SETS
from tests.chart.helm import CHART, installed
from tests.chart.immutable import fields
from tests.chart.last_release import DEFAULTS, FIELDS, VALUES
from tests.chart.release import parse


def write() -> None:
    """Write the default values, and the values and the immutable fields of every set of values in ci/."""
    helm = installed(os.environ.get("HELM", "helm"), 4)
    if helm is None:
        raise SystemExit("Helm 4 is needed: put it on PATH as helm, or name it in $HELM")
    DEFAULTS.write_text(yaml.safe_dump(yaml.safe_load((CHART / "values.yaml").read_text()), sort_keys=True))
    for folder in (VALUES, FIELDS):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.yaml"):
            old.unlink()
    for file in SETS:
        name = file.name.replace("-values", "")
        (VALUES / name).write_text(file.read_text())
        (FIELDS / name).write_text(yaml.safe_dump(fields(parse(helm.template(file))), sort_keys=True))


if __name__ == "__main__":
    write()
