"""Draws charts with matplotlib, in an environment of its own: `charts.py FOLDER`, the charts as JSON on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl  # ty: ignore[import-not-found]

mpl.use("svg")
import matplotlib.pyplot as plt  # ty: ignore[import-not-found]

OURS, THEIRS = "#1f6f4a", "#9aa5a0"


def main(folder: Path) -> None:
    """Draw every chart as SVG, the same bytes for the same figures."""
    mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    for chart in json.load(sys.stdin):
        figure, axes = plt.subplots(figsize=(7, 3.2))
        {"bars": _bars, "line": _line}[chart["kind"]](axes, chart)
        axes.set_title(chart["title"], loc="left", fontsize=10)
        figure.tight_layout()
        figure.savefig(folder / f"{chart['name']}.svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def _bars(axes, chart) -> None:
    names = list(chart["bars"])[::-1]
    spreads = [chart["bars"][name] for name in names]
    medians = [median for median, _, _ in spreads]
    ranges = [[median - low for median, low, _ in spreads], [high - median for median, _, high in spreads]]
    colours = [OURS if "heavylift" in name.lower() else THEIRS for name in names]
    axes.barh(names, medians, xerr=ranges, color=colours, ecolor="#444444", capsize=2, height=0.65)
    axes.set_xlabel(chart["unit"])


def _line(axes, chart) -> None:
    for name, points in chart["lines"].items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds")
    axes.set_ylabel(chart["unit"])
    axes.legend(frameon=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
