"""The report's figures, drawn from the evidence; "" where there is nothing to draw."""

from collections.abc import Iterable, Sequence
from typing import Any

from tauten import plots
from tauten.report.words import ARMS, Json, Names, known, number, places_for


def figures(e: Json, names: Names, small_holdout: bool) -> dict[str, Any]:
    """Every figure as a data URI: headline, ablation (without, alone), curves by arm, race."""
    d = e["difference"]
    places = places_for([d, d["against_usual"], d["holdout"]])
    headline = [
        _row("over plain", d, "mean", places),
        _row("over usual", d["against_usual"], "mean", places),
        _row("over plain (holdout)", d["holdout"], "mean", places, small_holdout),
    ]
    kinds = ("without", "alone")
    places = places_for(own[kind] for own in e["ablation"] for kind in kinds)
    gains = {k: [_row(own["technique"], own[k], "gain", places) for own in e["ablation"]] for k in kinds}
    both = [row for rows in gains.values() for row in rows if row]
    return {
        "headline": _forest(headline, f"gain in {names.metric}"),
        "ablation": {k: _forest(rows, f"gain in {names.ablation}", both) for k, rows in gains.items()},
        "curves": _curves(e, names),
        "race": _race(e, names),
    }


def _row(label: str, own: Json, key: str, places: int, bare: bool = False) -> plots.Row | None:
    """A row of a forest; `bare` leaves the interval out. None where there is no figure."""
    if not known(own[key]):
        return None
    words = number(own[key], places, sign=True)
    if bare or not (known(own["low"]) and known(own["high"])):
        return label, words, own[key], None, None
    words += f" ({number(own['low'], places, sign=True)} to {number(own['high'], places, sign=True)})"
    return label, words, own[key], own["low"], own["high"]


def _forest(rows: Iterable[plots.Row | None], unit: str, beside: Sequence[plots.Row] = ()) -> str:
    drawn = [row for row in rows if row]
    return plots.forest(drawn, unit, plots.forest_limits([*drawn, *beside])) if drawn else ""


def _curves(e: Json, names: Names) -> dict[str, str]:
    own = {arm: (e["curves"][arm]["train"], e["curves"][arm]["validation"]) for arm in ARMS}
    tops = [plots.top([pair[i] for pair in own.values()]) for i in (0, 1)]
    tops = [max(tops)] if names.shares_loss else tops
    labels = ("training loss", f"validation {names.raw}")
    return {
        arm: plots.curves(*pair, labels, tops, e[arm]["epochs_trained"], names.shares_loss)
        if any(known(v) for values in pair for v in values)
        else ""
        for arm, pair in own.items()
    }


def _race(e: Json, names: Names) -> str:
    """Score against learning rate; against the number of techniques where all had one rate."""
    scored = [trial for trial in e["race"] if known(trial["score"])]
    if len(scored) < 2:
        return ""
    by_rate = len({trial["learning_rate"] for trial in scored}) > 1
    groups = []
    for lane, word in (("plain", "plain"), ("recipes", "recipe")):
        for full, state in ((True, "all folds"), (False, "left early")):
            own = [t for t in scored if t["lane"] == lane and (t["folds"] == e["folds"]) == full]
            x = [t["learning_rate"] if by_rate else len(t["techniques"]) for t in own]
            if own:
                groups.append((f"{word}, {state}", x, [t["score"] for t in own], full))
    return plots.scatter(
        groups,
        "learning rate" if by_rate else "number of techniques",
        f"{names.raw} in the race (lower is better)",
        by_rate,
    )
