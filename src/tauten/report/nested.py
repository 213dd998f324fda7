"""The section on outer searches, in sentences that the terminal shows too."""

from collections import Counter

from tauten.report.words import Json, Names, known, number, places_for

VERDICTS = ("proved", "likely", "no evidence")


def nested(e: Json) -> list[str]:
    """What the procedure is worth by result.json's `nested`; nothing where no outer searches were asked for."""
    own = e.get("nested")
    if not own:
        return []
    gains = [own[k] for k in ("delivered", "chosen", "residual")]
    places = places_for(gains)
    figures = {arm: number(value, places) for arm, value in own["figures"].items()}
    metric, folds = Names.of(e["metric"]).metric, own["folds"]
    return [
        f"{folds} outer searches, each judged on a fold that none of its choices saw: what they delivered has {metric} "
        f"{figures['delivered']}, plain {figures['plain']}, usual {figures['usual']}; gain over plain "
        f"{_interval(own['delivered'], places)}.",
        f"Their chosen recipes, proved or not: {figures['chosen']}, gain over plain "
        f"{_interval(own['chosen'], places)}. Their own finals B showed a gain that was too good by "
        f"{_interval(own['residual'], places)}: {_curse(own['residual'])}.",
        f"Verdicts: {_counts(own)}. Chosen: {_recurring(own)}.",
        f"They searched on {_rows(own)} rows each{_time(e, own)}. Outer folds share rows to search on, so intervals "
        "(95 %) are those of Nadeau and Bengio.",
    ]


def _interval(gain: Json, places: int) -> str:
    low, high = (number(gain[end], places, sign=True) for end in ("low", "high"))
    return f"{number(gain['mean'], places, sign=True)} ({low} to {high})"


def _curse(residual: Json) -> str:
    if not known(residual["low"]) or residual["low"] <= 0 <= residual["high"]:
        return "no more than chance explains"
    return "more than chance explains" if residual["low"] > 0 else "so they promised too little, beyond chance"


def _counts(own: Json) -> str:
    counts = Counter(s["verdict"] for s in own["searches"])
    return ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])


def _recurring(own: Json) -> str:
    parts = [f"{name} in {count} of {own['folds']}" for name, count in own["recurring"].items()]
    return ", ".join(parts) or "no technique"


def _rows(own: Json) -> str:
    rows = [s["rows"] for s in own["searches"]]
    return f"{min(rows):,}" if min(rows) == max(rows) else f"{min(rows):,} to {max(rows):,}"


def _time(e: Json, own: Json) -> str:
    """How long they took beside the main search; a shorter search is a lesser one, and so judged."""
    mean = own["seconds"] / own["folds"]
    if own["budget"] is None:
        return f" and tried as many recipes as the main search ({mean:.0f} s)"
    return f" for {mean:.0f} s, where the main search had {e['n_train']:,} rows and {e['seconds']['total']:.0f} s"
