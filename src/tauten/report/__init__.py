"""The report: result.json as one page that a person reads, without scripts and without anything from outside."""

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tauten.errors import RecipeError
from tauten.evidence.verdict import LIKELY, PROVED

Json = Mapping[str, Any]
ARMS = ("plain", "usual", "chosen")
METRIC_NAMES = {
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "rmse": "RMSE",
    "mse": "MSE",
    "mae": "MAE",
}
GREATER_IS_BETTER = ("accuracy", "balanced_accuracy")
CURVE_NAMES = {"accuracy": "error rate", "balanced_accuracy": "balanced error rate", "rmse": "MSE"}
"""Curves and the ablation hold means of single rows' contributions: errors for accuracy, squares for RMSE."""
CHANGED_TARGETS = ("label_smoothing", "mixup")
PHASES = {
    "race": "many recipes trained, weak ones dropped early",
    "finals A": "the leaders on fresh folds and seeds; this chose the recipe",
    "finals B": "plain, usual and chosen on folds and seeds that chose nothing; this gave the verdict",
    "ablation": "the recipe without each technique, and each technique alone",
    "training": "every arm on all rows but the holdout",
    "holdout": "opened and scored",
}
SHOWN_WARNINGS = 6


def render(evidence: Json) -> str:
    """One self-contained HTML page from the mapping that becomes result.json (schema `tauten.result/1`).

    The page needs no network and no script; every text in it is escaped. The same mapping gives the same page.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, value=value, seconds=seconds, listed=listed)
    return environment.get_template("page.html").render(**_view(evidence))


def number(x: float | None, places: int | None = None, sign: bool = False) -> str:
    """A figure for people: fixed places where they are given, else four digits; a dash for what is not there.

    >>> number(-0.04567, 3), number(12345678.9), number(None), number(0.5, 2, sign=True)
    ('−0.046', '1.235e+07', '–', '+0.50')
    """
    if x is None or not math.isfinite(x):
        return "–"
    plus = "+" if sign else ""
    if places is None or abs(x) >= 1e7:
        text = f"{x:{plus}.4g}"
    else:
        text = f"{x:{plus},.{places}f}"
        text = text.replace("-", "") if not text.strip("+-0.,") else text
    return text.replace("-", "−") if text.startswith("-") else text


def value(x: object) -> str:
    """A hyperparameter's value: short, but all of it; yes and no for booleans."""
    if isinstance(x, bool):
        return "yes" if x else "no"
    if isinstance(x, list | tuple):
        return ", ".join(map(value, x))
    return number(x) if isinstance(x, float) else str(x)


def seconds(x: float | None) -> str:
    """A duration in the unit that suits it.

    >>> seconds(0.26), seconds(32), seconds(754), seconds(7322)
    ('0.3 s', '32 s', '12 min 34 s', '2 h 2 min')
    """
    if x is None or not math.isfinite(x):
        return "–"
    if x < 60:
        return f"{x:.1f} s" if x < 10 else f"{x:.0f} s"
    whole = round(x)
    return f"{whole // 60} min {whole % 60} s" if x < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(techniques: Mapping[str, Json]) -> str:
    """A recipe in one line."""
    parts = (f"{name} ({', '.join(f'{k} {value(v)}' for k, v in own.items())})" for name, own in techniques.items())
    return ", ".join(parts) or "no technique"


def _view(e: Json) -> dict[str, Any]:
    """What the template shows, worked out from the evidence."""
    delivered = "plain" if e["verdict"]["name"] == "no evidence" else "chosen"
    metric = METRIC_NAMES.get(e["metric"], e["metric"])
    difference = e["difference"]
    places = _places([difference, difference["against_usual"], difference["holdout"]])
    small = _small_holdout(e)
    return {
        "e": e,
        "metric": metric,
        "delivered": delivered,
        "places": places,
        "usual_standing": _standing(difference["against_usual"]),
        "clear_but_few": (difference["p"] if difference["p"] is not None else 1.0) <= PROVED,
        "small_holdout": small,
        "tables": _tables(e, small),
        "settings": _settings(e),
        "techniques": [_technique(name, own, e) for name, own in e["chosen"]["techniques"].items()],
        "ablation_unit": CURVE_NAMES.get(e["metric"], metric),
        "changed_targets": [t for t in CHANGED_TARGETS if any(t in e[arm]["techniques"] for arm in ARMS)],
        "curve_name": CURVE_NAMES.get(e["metric"], metric),
        "gap": e["metric"] == "log_loss",
        "race": _race(e),
        "phases": [
            {"name": k, "seconds": v, "what": PHASES.get(k, ""), "share": _share(v, e["seconds"].get("total"))}
            for k, v in e["seconds"].items()
            if k != "total"
        ],
        "warnings": [str(w) for w in e["warnings"]],
        "shown_warnings": SHOWN_WARNINGS,
        "source": shlex.quote(e["source"]),
        "figures": _figures(e, metric, places, small),
    }


def _standing(difference: Json) -> str:
    """How the recipe stands against usual, in the words of the verdict's own sentence."""
    p, mean = difference["p"], difference["mean"]
    if p is None or mean is None:
        return "could not be measured"
    if p <= LIKELY:
        return "better" if p <= PROVED else "probably better"
    if mean < 0 and p >= 1 - LIKELY:
        return "clearly worse" if p >= 1 - PROVED else "probably worse"
    return "not distinguishably better or worse"


def _small_holdout(e: Json) -> bool:
    """True where the holdout's figures are points only: too few rows, or too few of a class."""
    notes = [e["difference"]["holdout"]["note"], *(str(w).removeprefix("holdout: ") for w in e["warnings"])]
    return any(note.startswith("too small") for note in notes)


def _tables(e: Json, small: bool) -> list[dict[str, Any]]:
    """For each metric, the chosen one first: plain, usual and chosen, in finals B and on the holdout."""
    tables = []
    for name in sorted(e["plain"]["finals"], key=lambda k: k != e["metric"]):
        cells = {part: {arm: e[arm][part].get(name) for arm in ARMS} for part in ("finals", "holdout")}
        known = [own for part in cells.values() for own in part.values() if own]
        tables.append(
            {
                "name": METRIC_NAMES.get(name, name),
                "main": name == e["metric"],
                "better": "higher" if name in GREATER_IS_BETTER else "lower",
                "places": _places(known),
                "rows": [
                    {
                        "arm": arm,
                        "parts": [
                            (part, own[arm], part == "finals" or not small)
                            for part, own in cells.items()
                        ],
                    }
                    for arm in ARMS
                ],
            }
        )
    return tables


def _settings(e: Json) -> list[dict[str, Any]]:
    rows = [(k.replace("_", " "), [e[arm]["setting"].get(k) for arm in ARMS]) for k in e["chosen"]["setting"]]
    rows.append(("epochs trained", [e[arm]["epochs_trained"] for arm in ARMS]))
    if all(e[arm]["setting"].get("optimizer") != "sgd" for arm in ARMS):
        rows = [row for row in rows if row[0] != "momentum"]
    return [{"name": name, "values": own, "differ": any(v != own[0] for v in own)} for name, own in rows]


def _technique(name: str, values: Json, e: Json) -> dict[str, Any]:
    """A technique's card: what it does, where it comes from, its values, and what it gains."""
    # Its catalogue loads torch, which nothing else here needs.
    from tauten.technique import technique

    try:
        kind = technique(name)
        does, paper = (kind.__doc__ or "").partition("\n")[0], kind.paper
    except RecipeError:
        does, paper = "This technique comes from a package that is not installed here.", ""
    found = next((own for own in e["ablation"] if own["technique"] == name), None)
    gains = [
        (words, found[key], _helps(found[key]))
        for words, key in (("with it instead of without it", "without"), ("alone on plain", "alone"))
        if found
    ]
    return {"name": name, "does": does, "paper": paper, "values": values, "gains": gains}


def _helps(gain: Json) -> str:
    low, high = gain["low"], gain["high"]
    if low is None or high is None:
        return "unknown"
    return "helps" if low > 0 else "hurts" if high < 0 else "can't be told from no effect"


def _race(e: Json) -> dict[str, Any]:
    scored = [t for t in e["race"] if _known(t["score"])]
    return {
        "entered": len(e["race"]),
        "plain": sum(t["lane"] == "plain" for t in e["race"]),
        "to_the_end": sum(t["folds"] == e["folds"] for t in e["race"]),
        "unscored": len(e["race"]) - len(scored),
        "scored": scored,
    }


def _figures(e: Json, metric: str, places: int, small: bool) -> dict[str, Any]:
    from tauten import plots

    def row(label: str, own: Json, mean: str, points: int, bare: bool = False) -> plots.Row | None:
        if not _known(own[mean]):
            return None
        low, high = (None, None) if bare or not _known(own["low"]) else (own["low"], own["high"])
        words = number(own[mean], points, sign=True)
        words += "" if low is None else f" ({number(low, points, sign=True)} to {number(high, points, sign=True)})"
        return label, words, own[mean], low, high

    def forest(rows: Iterable[plots.Row | None], unit: str, beside: Sequence[plots.Row] = ()) -> str:
        known = [r for r in rows if r]
        return plots.forest(known, unit, plots.forest_limits([*known, *beside])) if known else ""

    d = e["difference"]
    headline = [
        row("over plain", d, "mean", places),
        row("over usual", d["against_usual"], "mean", places),
        row("over plain, on the holdout", d["holdout"], "mean", places, small),
    ]
    gains = {
        key: [row(own["technique"], own[key], "gain", _places([own[key]])) for own in e["ablation"]]
        for key in ("without", "alone")
    }
    unit = f"gain in {CURVE_NAMES.get(e['metric'], metric)}"
    both = [r for rows in gains.values() for r in rows if r]
    return {
        "headline": forest(headline, f"gain in {metric}"),
        "ablation": {key: forest(rows, unit, both) for key, rows in gains.items()},
        "curves": _curve_figures(e, metric),
        "race": _race_figure(e, metric),
    }


def _curve_figures(e: Json, metric: str) -> dict[str, str]:
    from tauten import plots

    # Only cross-entropy is what both curves measure; elsewhere a gap between them would have no meaning.
    shared = e["metric"] == "log_loss"
    own = {arm: (e["curves"][arm]["train"], e["curves"][arm]["validation"]) for arm in ARMS}
    tops = [plots.top([pair[i] for pair in own.values()]) for i in (0, 1)]
    tops = [max(tops)] if shared else tops
    names = ("training loss", f"validation {CURVE_NAMES.get(e['metric'], metric)}")
    return {
        arm: plots.curves(*pair, names, tops, e[arm]["epochs_trained"], shared) if any(pair) else ""
        for arm, pair in own.items()
    }


def _race_figure(e: Json, metric: str) -> str:
    from tauten import plots

    scored = [t for t in e["race"] if _known(t["score"])]
    if len(scored) < 2:
        return ""
    rates = {t["learning_rate"] for t in scored}
    groups = []
    for lane, word in (("plain", "plain"), ("recipes", "recipe")):
        for full in (True, False):
            chosen = [t for t in scored if t["lane"] == lane and (t["folds"] == e["folds"]) == full]
            x = [t["learning_rate"] if len(rates) > 1 else len(t["techniques"]) for t in chosen]
            name = f"{word}, {'all folds' if full else 'dropped early'}"
            if chosen:
                groups.append((name, x, [t["score"] for t in chosen], full))
    label = "learning rate" if len(rates) > 1 else "number of techniques"
    return plots.scatter(groups, label, f"{CURVE_NAMES.get(e['metric'], metric)} (lower is better)", len(rates) > 1)


def _places(intervals: Iterable[Json]) -> int:
    """Digits after the point that tell the narrowest interval apart; 3 where none has a width."""
    ends = [(own["low"], own["high"]) for own in intervals]
    widths = [high - low for low, high in ends if _known(low) and _known(high) and high > low]
    return min(max(2 - math.floor(math.log10(min(widths))), 0), 6) if widths else 3


def _known(x: float | None) -> bool:
    return x is not None and math.isfinite(x)


def _share(part: float | None, total: float | None) -> float:
    return 0.0 if not part or not total else min(100 * part / total, 100.0)
