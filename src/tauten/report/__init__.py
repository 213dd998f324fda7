"""The report: result.json as one page that a person reads, without scripts and without anything from outside."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tauten.errors import RecipeError
from tauten.evidence.verdict import LIKELY, PROVED
from tauten.report.explanation import explanation
from tauten.report.losing import losing
from tauten.report.nested import nested
from tauten.report.traits import traits
from tauten.report.wordings import wordings
from tauten.report.words import (
    ARMS,
    GREATER_IS_BETTER,
    METRICS,
    Json,
    Names,
    flags,
    known,
    listed,
    number,
    places_for,
    seconds,
    value,
)

if TYPE_CHECKING:
    from tauten.technique import Technique

PHASES = {
    "set-up": "data read, holdout sealed, folds made, texts translated if asked",
    "speed": "a few batches to measure this machine",
    "race": "many recipes trained, weak ones dropped early",
    "finals A": "the leaders on fresh folds and seeds; this chose the recipe",
    "finals B": "plain, usual and chosen on folds and seeds that chose nothing; this gave the verdict",
    "ablation": "the recipe without each technique, and each technique alone",
    "training": "every arm on all rows but the holdout",
    "holdout": "opened and scored",
    "traits": "how plain's and the recipe's networks behave on it",
}
SHOWN_WARNINGS = 6


def render(evidence: Json) -> str:
    """One self-contained HTML page from the mapping that becomes result.json (schema `tauten.result/1`).

    The page needs no network and no script; every text in it is escaped. The same mapping gives the same page, and so
    does the mapping read back from result.json.
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


def _view(e: Json) -> dict[str, Any]:
    """What the template shows, worked out from the evidence."""
    # matplotlib is slow to import, and a page is all that needs it.
    from tauten.report.figures import figures

    difference, names, small = e["difference"], Names.of(e["metric"]), _small_holdout(e)
    return {
        "e": e,
        "names": names,
        "delivered": "plain" if e["verdict"]["name"] == "no evidence" else "chosen",
        "places": places_for([difference, difference["against_usual"], difference["holdout"]]),
        "ablation_places": places_for(own[k] for own in e["ablation"] for k in ("without", "alone")),
        "usual_standing": _standing(difference["against_usual"]),
        "clear_but_few": known(difference["p"]) and difference["p"] <= PROVED,
        "small_holdout": small,
        "tables": _tables(e),
        "settings": _settings(e),
        "techniques": [_technique(name, own, e) for name, own in e["chosen"]["techniques"].items()],
        "changed_batches": sorted(t for t in set().union(*(e[a]["techniques"] for a in ARMS)) if _changes_batches(t)),
        "traits": traits(e),
        "wordings": wordings(e),
        "nested": nested(e),
        "explained": explanation(e.get("explanation")),
        "race": _race(e),
        "lost": losing(e.get("lost")),
        "phases": _phases(e["seconds"], e["plan"]),
        "warnings": [str(w) for w in e["warnings"]],
        "shown_warnings": SHOWN_WARNINGS,
        "source": shlex.quote(e["source"]),
        "flags": flags(e),
        "figures": figures(e, names, small),
    }


def _kind(name: str) -> "type[Technique] | None":
    # The catalogue loads torch, which nothing else here needs.
    from tauten.technique import technique

    try:
        return technique(name)
    except RecipeError:
        return None


def _changes_batches(name: str) -> bool:
    kind = _kind(name)
    return kind is not None and "batch" in kind.hooks


def _standing(difference: Json) -> str:
    """How the recipe stands against usual, in the words of the verdict's own sentence."""
    p, mean = difference["p"], difference["mean"]
    if not known(p) or not known(mean):
        return "of unknown standing"
    if difference["low"] == difference["high"] == 0:
        return "the same in every score"
    if p <= LIKELY:
        return "better" if p <= PROVED else "probably better"
    if mean < 0 and p >= 1 - LIKELY:
        return "clearly worse" if p >= 1 - PROVED else "probably worse"
    return "not distinguishably better or worse"


def _small_holdout(e: Json) -> bool:
    """True where the holdout's figures are points only: too few rows, or too few of a class."""
    own = [e[arm]["holdout"][e["metric"]] for arm in ARMS]
    pointed = any(known(figure["mean"]) and not known(figure["low"]) for figure in own)
    return pointed or e["difference"]["holdout"]["note"].startswith("too small")


def _tables(e: Json) -> list[dict[str, Any]]:
    """For each metric, the one that chose first: (arm, finals B, holdout) for plain, usual and chosen."""
    tables = []
    for name in sorted(e["plain"]["finals"], key=lambda k: k != e["metric"]):
        rows, main = (
            [(arm, e[arm]["finals"].get(name), e[arm]["holdout"].get(name)) for arm in ARMS],
            name == e["metric"],
        )
        tables.append(
            {
                "name": METRICS.get(name, name),
                "main": main,
                "better": "higher" if name in GREATER_IS_BETTER or (main and e["greater_is_better"]) else "lower",
                "places": places_for(own for _, *parts in rows for own in parts if own),
                "rows": rows,
            }
        )
    return tables


def _settings(e: Json) -> list[dict[str, Any]]:
    """Each part of the setting for plain, usual and chosen, and whether they differ."""
    rows = {key.replace("_", " "): [e[arm]["setting"].get(key) for arm in ARMS] for key in e["chosen"]["setting"]}
    if "sgd" not in rows.get("optimizer", []):
        rows.pop("momentum", None)
    rows["epochs trained"] = [e[arm]["epochs_trained"] for arm in ARMS]
    return [{"name": name, "values": own, "differ": any(v != own[0] for v in own)} for name, own in rows.items()]


def _technique(name: str, values: Json, e: Json) -> dict[str, Any]:
    """A technique's card: what it does, where it comes from, its values, and what it gains."""
    kind = _kind(name)
    does, paper = "It comes from a package that is not installed where this page was written.", ""
    if kind:
        does, paper = (kind.__doc__ or "").partition("\n")[0].replace("`", ""), kind.paper
    found = next((own for own in e["ablation"] if own["technique"] == name), None)
    kinds = {"without": "With it instead of without it", "alone": "Alone on plain"} if found else {}
    gains = [(words, found[key], _effect(found[key])) for key, words in kinds.items()] if found else []
    return {"name": name, "does": does, "paper": paper, "values": values, "gains": gains}


def _effect(gain: Json) -> str:
    if not known(gain["low"]) or not known(gain["high"]):
        return "not known"
    return "it helps" if gain["low"] > 0 else "it hurts" if gain["high"] < 0 else "can't be told from no effect"


def _race(e: Json) -> dict[str, int]:
    return {
        "entered": len(e["race"]),
        "plain": sum(trial["lane"] == "plain" for trial in e["race"]),
        "on_all_folds": sum(trial["folds"] == e["folds"] for trial in e["race"]),
        "unscored": sum(not known(trial["score"]) for trial in e["race"]),
    }


def _phases(spent: Json, plan: Json) -> list[dict[str, Any]]:
    """What each phase took, and its share of the whole in percent; without those that the plan left out."""
    total = spent["total"] or 0.0
    shown = {"finals A": plan["finals_a"], "ablation": plan["ablation"]}
    return [
        {"name": name, "seconds": own, "what": PHASES.get(name, ""), "share": 100 * own / total if total else 0.0}
        for name, own in spent.items()
        if name != "total" and shown.get(name, True)
    ]
