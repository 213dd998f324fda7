"""Writes docs/performance.md and its plot from the figures of all benchmarks.

python benchmarks/performance.py
"""

from pathlib import Path

import budgets
import precision
import rungs
import scaling
import throughput
import time_to_quality
from matplotlib import rc_context
from matplotlib.figure import Figure
from record import load

DOCS = Path(__file__).parents[1] / "docs"
PARTS = (throughput, precision, time_to_quality, budgets, rungs, scaling)
HEAD = """# Performance

Every table is made from raw figures in [benchmarks/figures](../benchmarks/figures) by

    python benchmarks/performance.py

and names the command, machine, versions and date of its figures.
"""
COLOURS = {"seconds": "#1f6f8b", "bytes": "#c1440e"}


def page() -> str:
    """The page as the figures have it."""
    return "\n".join([HEAD, *(text for part in PARTS if (text := part.section()))])


def draw(path: Path) -> None:
    """The costs of `scaling` as an SVG, one panel an axis, with lines of exponent 1 to compare with."""
    found = load(scaling.NAME)
    axes = [axis for axis in scaling.AXES if axis in found]
    if not axes:
        return
    with rc_context({"svg.hashsalt": "tauten", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 2.8 * -(-len(axes) // 3)), layout="constrained")
        panels = figure.subplots(-(-len(axes) // 3), min(3, len(axes)), squeeze=False).flat
        for panel, axis in zip(panels, axes, strict=False):
            points = found[axis]["points"]
            sizes = [p["size"] for p in points]
            for key, unit, label in (("seconds", 1, "seconds an epoch"), ("bytes", 1e-9, "memory, GB")):
                values = [p[key] * unit for p in points]
                panel.loglog(sizes, values, "o-", color=COLOURS[key], label=label, markersize=3)
                straight = [values[-1] * size / sizes[-1] for size in sizes]
                panel.loglog(sizes, straight, ":", color=COLOURS[key], linewidth=0.8)
            panel.minorticks_off()
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
            panel.set_xlabel(scaling.AXES[axis][0])
            panel.spines[["top", "right"]].set_visible(False)
        for panel in list(panels):
            panel.set_visible(False)
        figure.axes[0].legend(frameon=False, fontsize="small")
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    (DOCS / "performance.md").write_text(page(), encoding="utf-8")
    draw(DOCS / "figures" / "scaling.svg")
