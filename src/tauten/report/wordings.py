"""The section on texts: how they were translated, and which of those that the recipe changes plain takes otherwise."""

from typing import Any

from tauten.report.words import Json
from tauten.text.marks import marked


def wordings(e: Json) -> dict[str, Any]:
    """A sentence for each language that texts were translated by, one on texts taken otherwise, and examples of these.

    Each example has the label, and for the text before and after its runs of words, new or not, with what plain says.
    """
    found = e.get("flips") or {"changed": 0, "flipped": 0, "techniques": [], "examples": []}
    return {
        "translations": [_language(own) for own in e.get("translations") or ()],
        "count": _count(found) if found["changed"] else "",
        "examples": [_example(own) for own in found["examples"]],
    }


def _language(own: Json) -> str:
    return (
        f"By way of {own['via']}, {own['unchanged']:,} of {own['texts']:,} texts came back as they were, and "
        f"{own['foreign']:,} with {own['foreign_words']:,} foreign words left over, about."
    )


def _count(found: Json) -> str:
    """How often it happens.

    >>> _count({"techniques": ["a", "b"], "flipped": 3, "changed": 200})
    'Of 200 texts that a and b changed, 3 (1.5 %) are another class to plain’s network, which knew them as they were.'
    """
    share, names = 100 * found["flipped"] / found["changed"], " and ".join(found["techniques"])
    return (
        f"Of {found['changed']:,} texts that {names} changed, {found['flipped']:,} ({share:.1f} %) are another class "
        "to plain’s network, which knew them as they were."
    )


def _example(own: Json) -> dict[str, Any]:
    before, after = own["before"]["text"].split(), own["after"]["text"].split()
    return {
        "label": own["label"],
        "sides": [
            {"words": "as it is", "runs": [(" ".join(before), False)], **_said(own["before"])},
            {"words": "changed", "runs": marked(before, after), **_said(own["after"])},
        ],
    }


def _said(side: Json) -> dict[str, Any]:
    return {"class": side["class"], "probability": side["probability"]}
