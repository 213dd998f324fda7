"""Figures of the report as SVG data URIs: small enough for a phone, with colours that follow light and dark."""

import io
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

Floats = npt.NDArray[np.float64]
Row = tuple[str, str, float, float | None, float | None]
"""Label, the numbers in words, the estimate, and its interval where there is one."""

WIDTH, NARROW = 3.7, 3.1
"""Inches; two wide or three narrow figures stand side by side on a desk and one fills a phone: type never shrinks."""

LABEL = 21

# matplotlib writes plain colours only: each stands for a CSS variable that light and dark fill in.
INK, MUTED, RULE, PAPER = "#000001", "#000002", "#000003", "#000004"
FIRST, SECOND, THIRD = "#000005", "#000006", "#000007"
COLOURS = {
    INK: ("ink", "#1b2530", "#e4e9ef"),
    MUTED: ("muted", "#5b6875", "#9aa7b4"),
    RULE: ("rule", "#d5dbe1", "#3a4550"),
    PAPER: ("paper", "#ffffff", "#1a2129"),
    FIRST: ("first", "#0b62a8", "#6cb6f5"),
    SECOND: ("second", "#b8500c", "#f2a265"),
    THIRD: ("third", "#6b7280", "#a3adb8"),
}
BEHIND = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tauten",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "lines.linewidth": 1.6,
}


def forest(rows: Sequence[Row], unit: str, limits: tuple[float, float] | None = None) -> str:
    """Gains with their intervals around zero, one row each; `limits` lets two figures share an axis."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(WIDTH, 0.75 + 0.42 * len(rows))
        axes.axvline(0, color=INK, linewidth=1)
        low, high = limits or forest_limits(rows)
        for i, (label, words, mean, *ends) in enumerate(rows):
            if ends[0] is not None and ends[1] is not None:
                axes.plot(ends, [i, i], color=FIRST, linewidth=2.2, solid_capstyle="butt")
                axes.plot(ends, [i, i], color=FIRST, linestyle="", marker="|", markersize=8, markeredgewidth=1.6)
            axes.plot([mean], [i], color=FIRST, marker="o", markersize=6, markeredgecolor=PAPER)
            place = {"transform": axes.get_yaxis_transform(), "va": "bottom", "bbox": BEHIND, "in_layout": False}
            axes.text(0, i - 0.34, shorten(label), weight="bold", **place)
            axes.text(1, i - 0.34, words, ha="right", color=MUTED, **place)
        axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.85), yticks=[], xlabel=f"← worse · {unit} · better →")
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x")
        return _uri(figure)


def shorten(label: str) -> str:
    """A label that leaves room for the numbers beside it.

    >>> shorten("dropout"), shorten("a_technique_of_an_unusually_long_name")
    ('dropout', 'a_technique_of_an_un…')
    """
    return label if len(label) <= LABEL else label[: LABEL - 1] + "…"


def forest_limits(rows: Sequence[Row]) -> tuple[float, float]:
    """An axis that shows every interval and zero."""
    values = _finite([v for _, _, *own in rows for v in own] + [0.0])
    low, high = float(values.min()), float(values.max())
    room = 0.07 * (high - low) or 1.0
    return low - room, high + room


def curves(
    train: Sequence[float | None],
    validation: Sequence[float | None],
    names: tuple[str, str],
    tops: Sequence[float],
    chosen_epoch: int | None,
    shared: bool,
) -> str:
    """Training and validation by epoch: in one frame with the gap shaded where they are `shared` units, else in two."""
    with matplotlib.rc_context(STYLE):
        figure, *frames = _new(NARROW, 2.6 if shared else 3.9, 1 if shared else 2)
        first, second = frames[0], frames[-1]
        x = np.arange(1, max(len(train), len(validation)) + 1)
        for axes, own, colour, line, name in (
            (first, train, SECOND, "--", names[0]),
            (second, validation, FIRST, "-", names[1]),
        ):
            marker = "o" if len(x) == 1 else ""
            label = name if shared else "_"
            axes.plot(x[: len(own)], _array(own), color=colour, linestyle=line, label=label, marker=marker)
        if shared:
            both = min(len(train), len(validation))
            axes.fill_between(
                x[:both], _array(train)[:both], _array(validation)[:both], color=THIRD, alpha=0.25, linewidth=0,
                label="gap",
            )  # fmt: skip
        for axes, top in zip(frames, tops, strict=True):
            if chosen_epoch is not None and chosen_epoch < len(x):
                axes.axvline(chosen_epoch, color=MUTED, linewidth=1, linestyle=":", label=f"stops at {chosen_epoch}")
            axes.set_ylim(0, top)
            axes.grid(axis="y")
            axes.locator_params(axis="y", nbins=5)
        if first.get_legend_handles_labels()[0]:
            first.legend(loc="best", borderaxespad=0.2)
        first.set_ylabel("loss" if shared else names[0])
        second.set_ylabel("loss" if shared else names[1])
        second.set_xlabel("epoch")
        for axes in frames:
            axes.xaxis.get_major_locator().set_params(integer=True)
        return _uri(figure)


def top(curves: Sequence[Sequence[float | None]]) -> float:
    """The upper end of an axis for all these curves: wild first epochs may leave the frame, late ones never do."""
    known = [own for own in map(_finite, curves) if own.size]
    if not known:
        return 1.0
    late = max(float(own[-1 - len(own) // 2 :].max()) for own in known)
    return 1.08 * min(max(float(own.max()) for own in known), 4 * late) or 1.0


def scatter(
    groups: Sequence[tuple[str, Sequence[float], Sequence[float], bool]], x_label: str, y_label: str, log: bool
) -> str:
    """Score of each recipe; groups are (name, x, y, filled), told apart by shape and filling as well as by colour."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(WIDTH, 2.9)
        for name, x, y, filled in groups:
            colour, shape = (SECOND, "s") if name.startswith("plain") else (FIRST, "o")
            axes.plot(
                x, y, linestyle="", marker=shape, markersize=5, markeredgecolor=colour, alpha=0.85,
                markerfacecolor=colour if filled else PAPER, label=name,
            )  # fmt: skip
        scores = np.array([v for _, _, y, _ in groups for v in y])
        if log:
            axes.set_xscale("log")
            _plain_ticks(axes.xaxis)
        if scores.min() > 0 and scores.max() > 20 * scores.min():
            axes.set_yscale("log")
            _plain_ticks(axes.yaxis)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid()
        figure.legend(loc="outside upper left", ncols=2, columnspacing=1, handletextpad=0.2)
        return _uri(figure)


def _new(width: float, height: float, frames: int = 1) -> tuple[Any, ...]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, *np.atleast_1d(figure.subplots(frames, 1, sharex=True))


def _plain_ticks(axis: Any) -> None:
    """Decimal numbers at 1, 2 and 5 of each decade; powers of ten would be mathematical markup."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_locator(NullLocator())


def _array(values: Sequence[float | None]) -> Floats:
    own = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(own), own, np.nan)


def _finite(values: Sequence[float | None]) -> Floats:
    own = np.array([v for v in values if v is not None], dtype=np.float64)
    return own[np.isfinite(own)]


def _uri(figure: Figure) -> str:
    buffer = io.StringIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
    # `savefig` would draw twice and look at every figure as if it were pixels first.
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata=metadata)
    svg = buffer.getvalue()
    for colour, (name, _, _) in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = svg.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', sans-serif")
    light, dark = (";".join(f"--{c[0]}:{c[i]}" for c in COLOURS.values()) for i in (1, 2))
    sheet = f"<style>:root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    svg = svg[svg.index("<svg") :].replace("<defs>", f"{sheet}<defs>", 1)
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
