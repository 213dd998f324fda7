"""What the replayed claims have in common: a name, a source, a sentence; measured once, told from the figures alone.

An experiment of one file says what it measures and how that is told:

    @claim("name", source="whom it comes from", says="what they say", tell=tell)
    def name(run: Run) -> Figures:
        "What is replayed, in a line."

`measure` returns numbers ready for JSON; `tell` makes table, sentences and plot of them and of nothing else.
"""

import functools
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tauten.errors import OptionError
from tauten.experiments import Experiment, experiment
from tauten.experiments.page import page

Figures = dict[str, Any]
"""What was measured: nested dicts and lists of finite numbers and words."""
FEWEST = 3
"""Seeds below which an interval over them says nothing."""
COLOURS = ("#1f6f8b", "#c1440e", "#5b8c2a", "#7a4ea3", "#b08900", "#555555")


@dataclass(frozen=True)
class Run:
    """What an experiment is called with. `data` is a folder with IDX files, or None for the bundled digits."""

    seeds: int
    data: Path | None
    threads: int
    progress: Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Told:
    """Figures as a person reads them: a table, how they were made, what was seen, and a plot."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    how: str
    reading: str
    plot: Figure


Measure = Callable[..., Figures]
Tell = Callable[[Figures], Told]
TELLERS: dict[str, Tell] = {}
"""How each claim's figures are told, by name."""


def claim(name: str, *, source: str, says: str, tell: Tell) -> Callable[[Measure], Experiment]:
    """Register a measurement as an experiment that writes result.json, table.md, NAME.svg and report.html.

    Called with fewer than `FEWEST` seeds or less than one thread it raises OptionError and writes nothing.
    """

    def register(measure: Measure) -> Experiment:
        @functools.wraps(measure)
        def replay(
            out: Path, seeds: int, data: Path | None, threads: int, progress: Callable[[str], None], **size: Any
        ) -> Figures:
            for what, value, low in (("seeds", seeds, FEWEST), ("threads", threads, 1)):
                if value < low:
                    raise OptionError(f"{what} is {value}: expected a whole number from {low} up")
            began, busy = time.perf_counter(), time.process_time()
            figures = measure(Run(seeds, data, threads, progress), **size)
            figures = {"experiment": name, "source": source, "claim": says, "seeds": seeds, **figures}
            seconds = {"wall": time.perf_counter() - began, "cpu": time.process_time() - busy, "threads": threads}
            _write(out, name, figures | {"seconds": seconds, "versions": _versions()}, tell(figures))
            progress(tell(figures).reading)
            return figures

        TELLERS[name] = tell
        return experiment(name)(replay)

    return register


def text_of(figures: Figures, told: Told) -> str:
    """The claim, the table, how it was made and what was seen, as Markdown."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (told.head, *told.rows)]
    table = "\n".join([lines[0], "|" + "---|" * len(told.head), *lines[1:]])
    said = f"The claim: {figures['claim']} ({figures['source']})."
    return f"{said}\n\n{table}\n\n{told.how}\n\n{told.reading}\n"


def shown(found: Mapping[str, Any], digits: int = 2, factor: float = 1.0, sign: bool = False) -> str:
    """A mean with its interval.

    >>> shown({"mean": 0.051, "low": 0.04, "high": 0.06}, digits=1, factor=100)
    '5.1 [4.0, 6.0]'
    """
    style = f"{'+' if sign else ''}.{digits}f"
    mean, low, high = (format(found[key] * factor, style) for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def sign_of(found: Mapping[str, Any]) -> int:
    """1 or −1 where the interval leaves out 0, else 0.

    >>> sign_of({"mean": 1.0, "low": 0.5, "high": 1.5}), sign_of({"mean": 1.0, "low": -0.5, "high": 2.5})
    (1, 0)
    """
    return int(found["low"] > 0) - int(found["high"] < 0)


def line(axis: Axes, x: Any, found: Sequence[Mapping[str, Any]], factor: float = 1.0, **style: Any) -> None:
    """A line through means with a band of their intervals; `style` is that of the line."""
    mean, low, high = (np.array([one[key] for one in found]) * factor for key in ("mean", "low", "high"))
    (drawn,) = axis.plot(x, mean, marker="o", markersize=3, linewidth=1.4, **style)
    axis.fill_between(x, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
    axis.spines[["top", "right"]].set_visible(False)


def numbered(axis: Axes, *sides: str) -> None:
    """Ticks of logarithmic axes ("x", "y") at 1, 2 and 5 of each power of ten, as plain numbers."""
    for side in sides:
        ticks = getattr(axis, f"{side}axis")
        ticks.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ticks.set_minor_formatter(NullFormatter())


def _write(out: Path, name: str, result: Figures, told: Told) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = text_of(result, told)
    (out / "result.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (out / "table.md").write_text(text, encoding="utf-8")
    picture = out / f"{name}.svg"
    # Without a date and with names made of the content, the same figures give the same file.
    with rc_context({"svg.hashsalt": name}):
        told.plot.savefig(picture, metadata={"Date": None})
    (out / "report.html").write_text(page(name, text, [picture]), encoding="utf-8")


def _versions() -> dict[str, str]:
    packages = ("tauten", "torch", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
