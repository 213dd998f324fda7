"""Which strengths lost the race, in words."""

from typing import Any

from tauten.report.words import Json, number


def losing(found: Json | None) -> dict[str, Any]:
    """A sentence for each range of values that lost, and what the comparison can and can't say.

    >>> losing({"recipes": 9, "ranges": []})["note"]
    'No technique’s values did worse than others beyond chance, among 9 recipes; with few, that says little.'
    """
    if not found:
        return {"lines": [], "note": ""}
    if not found["ranges"]:
        few = f"among {found['recipes']:,} recipes; with few, that says little."
        return {"lines": [], "note": f"No technique’s values did worse than others beyond chance, {few}"}
    note = (
        "The better half is that of all recipes in the race, by how far each came and its score there, most of them "
        "after a quarter of their training. Values are those tried; corrected for all that was looked at, chance alone "
        "would name any in one race of twenty. The race’s own folds, so a description, not a proof."
    )
    return {"lines": [_line(own) for own in found["ranges"]], "note": note}


def _line(own: Json) -> str:
    if own["key"] is None:
        what, others = f"{own['technique']} at any value", "without it"
    else:
        span = f"{number(own['low'])} to {number(own['high'])}" if own["low"] < own["high"] else number(own["low"])
        what, others = f"{own['technique']} with {own['key']} {span}", "with other values"
    ended = f"{own['better']} of {own['tried']} such recipes ended in the better half"
    return f"{what}: {ended}, against {own['others_better']} of {own['others']} {others}."
