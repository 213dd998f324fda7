"""What docs/results.md says of `text`: scores with intervals, what single techniques gain, and which targets hold."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import record
from images_figures import ingredient
from text_contenders import COPIED, FOLDS, SEARCHED, SHORT
from text_data import SEED, SETS, SIZES

from tauten.evidence import holm

TITLES = {"sst2": "SST-2", "trec": "TREC", "sms": "SMS spam"}
LEVEL = 0.05
POINT = 0.01
"""How far below TF-IDF the search's recipe may be."""
HEAD = """## Text

    python benchmarks/text.py run --texts DIR
    python benchmarks/datasets.py table

SST-2 (sentences of film reviews, good or bad; Socher et al. 2013, Kim's split, its development part unused), TREC
(questions, six kinds; Li & Roth 2002) and SMS spam (Almeida et al. 2011; F1 is that of spam). 500, 2,000 or all texts
of the training part, a stratified draw (seed {seed}), and the published test part; of SMS spam, which has none, a
stratified fifth. Training texts that stand in the test part as well are left out. No search and no choice sees the
test. *TF-IDF* is scikit-learn's, with logistic regression: words or pairs too, tokens with or without punctuation, and
C by {folds}-fold cross-validation. *Plain*, *usual* and *chosen* are what one search of {budget:g} s finds on all
cores, told the metric; plain's setting is tuned by the same search. Each *technique* is plain with it at its card's
value. *EDA* is plain on the texts and copies of them, α and how many as its paper's table advises, the four operations
equally often, synonyms from any sense of WordNet: for as many epochs ({steps}), and for as many steps (at least one
epoch). Every recipe is then trained on all training texts, {seeds} seeds, the same for all. Nobody has pretrained
vectors. Tauten's defaults for texts (learning rate, epochs, what a pair of words weighs, and that unmet pairs don't
count) were chosen on these three sets, test parts included, so plain, usual and chosen look a little better here than
elsewhere.

In percent: mean and 95 % interval over test texts and seeds.
"""

Part = Mapping[str, Any]
Found = Mapping[tuple[str, str], Mapping[str, Part]]


def section(into: str = "text") -> str:
    """The section of docs/results.md; empty where no problem has been finished."""
    loaded = record.load(into)
    found = {
        (name, size): steps
        for name in SETS
        for size in SIZES
        if len(steps := {s: loaded[k] for s in ("tfidf", "search", "arms") if (k := f"{name}_{size}_{s}") in loaded})
        == 3
    }
    if not found:
        return ""
    used = [part for steps in found.values() for part in steps.values()]
    words = [_head(found), *_scores(found), "", *_gains(found), "", *_recipes(found), "", *targets(found)]
    missing = [f"{name}_{size}" for name in SETS for size in SIZES if (name, size) not in found]
    late = ["", f"Not run yet: {', '.join(missing)}."] if missing else []
    return "\n".join([*words, *late, "", record.sentence(used) + "."]) + "\n"


def targets(found: Found) -> list[str]:
    """Whether what was aimed at holds, problem by problem."""
    gains = [_gainers(steps["arms"]) for steps in found.values()]
    over = [steps["arms"]["chosen_over"] for steps in found.values()]
    titles = [_title(*key) for key in found]
    asked = [i for i, own in enumerate(gains) if own]
    beaten = [i for i in asked if over[i]["plain"]["low"] <= 0]
    where = [
        f"{titles[i]}: {', '.join(_spaced(n) for n in gains[i])}; chosen {_points(over[i]['plain'])}" for i in asked
    ]
    worse = [
        f"{title} ({_spaced(arm)}: {_points(own[arm])})"
        for title, own in zip(titles, over, strict=True)
        for arm in (COPIED, SHORT)
        if own[arm]["high"] < 0
    ]
    behind = [
        f"{t} ({_points(own['tfidf'])})" for t, own in zip(titles, over, strict=True) if own["tfidf"]["mean"] < -POINT
    ]
    return [
        "The targets, in points:",
        "",
        "- chosen beats plain wherever any single technique does beyond chance (Holm over the techniques of a line): "
        + (f"**{'missed' if beaten else 'met'}**. " + "; ".join(where) if asked else "none does, so nothing is asked")
        + ".",
        f"- chosen is never worse than EDA's fixed setting beyond chance: **{_answer(worse)}**.",
        f"- chosen comes within a point of tuned TF-IDF, or is better: **{_answer(behind)}**. "
        + "; ".join(f"{t}: {_points(own['tfidf'])}" for t, own in zip(titles, over, strict=True))
        + ".",
    ]


def _answer(failing: Sequence[str]) -> str:
    return f"missed, {'; '.join(failing)}" if failing else "met"


def _gainers(arms: Part) -> list[str]:
    """The single techniques that beat plain beyond chance."""
    names = [name for name in arms["arms"] if name not in (*SEARCHED, COPIED, SHORT)]
    told = [arms["arms"][name]["over_plain"] for name in names]
    adjusted = holm([own["p"] for own in told]) if told else []
    return [n for n, own, p in zip(names, told, adjusted, strict=True) if own["mean"] > 0 and p < LEVEL]


def _head(found: Found) -> str:
    first = next(iter(found.values()))
    times = {1 + steps["arms"]["eda"]["copies"] for steps in found.values()}
    steps = " or ".join(map(str, sorted(times, reverse=True))) + " times the steps"
    told = {"budget": first["search"]["budget"], "seeds": first["arms"]["seeds"]}
    return HEAD.format(seed=SEED, folds=FOLDS, steps=steps, **told)


def _scores(found: Found) -> list[str]:
    """Scores of everyone but the single techniques, and seconds."""
    names = ("TF-IDF", *SEARCHED, COPIED, SHORT)
    seconds = ("TF-IDF, s", "search, s", "training chosen, s")
    lines = [f"| texts | metric | {' | '.join((*names, *seconds))} |", "|---" * (2 + len(names) + len(seconds)) + "|"]
    for key, steps in found.items():
        arms = steps["arms"]["arms"]
        for metric in steps["tfidf"]["figures"]:
            own = [steps["tfidf"]["figures"][metric], *(arms[name]["figures"][metric] for name in names[1:])]
            spent = (steps["tfidf"]["seconds"], steps["search"]["seconds"], arms["chosen"]["seconds"])
            cells = [
                _title(*key),
                "F1" if metric == "f1" else metric,
                *map(_percent, own),
                *(f"{s:.0f}" for s in spent),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _gains(found: Found) -> list[str]:
    """What each technique gains over plain, and how much longer it trains."""
    names = [n for n in _in_order(steps["arms"]["arms"] for steps in found.values()) if n != "plain"]
    gainers = {key: _gainers(steps["arms"]) for key, steps in found.items()}

    def cell(name: str, key: tuple[str, str]) -> str:
        told = found[key]["arms"]["arms"].get(name)
        if told is None:
            return ""
        text = _points(told["over_plain"])
        return f"**{text}**" if name in gainers[key] else text

    def longer(name: str) -> str:
        arms = [steps["arms"]["arms"] for steps in found.values() if name in steps["arms"]["arms"]]
        return f"{fmean(own[name]['seconds'] / own['plain']['seconds'] for own in arms):.1f}"

    return [
        "Over plain, in points of the metric that was searched for, paired; bold where a single technique's gain is "
        "beyond chance; the last column is the time of training over plain's, mean over the lines:",
        "",
        f"| | {' | '.join(_title(*key) for key in found)} | time |",
        "|---" * (2 + len(found)) + "|",
        *(f"| {_spaced(n)} | {' | '.join(cell(n, key) for key in found)} | {longer(n)} |" for n in names),
    ]


def _in_order(arms: Any) -> list[str]:
    return list(dict.fromkeys(name for own in arms for name in own))


def _recipes(found: Found) -> list[str]:
    """What each search chose."""
    lines = []
    for key, steps in found.items():
        told, arm = steps["search"], steps["search"]["arms"]["chosen"]
        inside = "; ".join(ingredient(*item) for item in arm["techniques"].items()) or "no technique"
        setting, linear = arm["setting"], steps["tfidf"]["chosen"]
        lines.append(
            f"- {_title(*key)}: {inside}; {setting['net']}, learning rate {setting['learning_rate']:.2g}, "
            f"{setting['schedule']}, {arm['epochs_trained']} epochs of batches of {setting['batch_size']}; "
            f"{told['trials']} recipes raced. Verdict: {told['verdict']}. TF-IDF: "
            f"{'words and pairs' if linear['ngram_range'][1] == 2 else 'words'}, C {linear['C']:g}."
        )
    return lines


def _title(name: str, size: str) -> str:
    return f"{TITLES[name]}, {size if size == 'all' else f'{int(size):,}'}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _told(own: Mapping[str, float], form: Callable[[float], str]) -> str:
    return f"{form(own['mean'])} ({form(own['low'])} to {form(own['high'])})"


def _percent(own: Mapping[str, float]) -> str:
    return _told(own, lambda value: f"{100 * value:.1f}")


def _points(own: Mapping[str, float]) -> str:
    return _told(own, lambda value: f"{100 * value:+.1f}")
