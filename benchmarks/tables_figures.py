"""What docs/results.md says of `tables`: the figures of every table and contender, and which targets hold."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

import record
from tables_ranks import (
    EXTRA,
    OWN,
    PEERS,
    Answered,
    ahead,
    by_table,
    everywhere,
    friedman,
    mean,
    places,
    points_ahead,
    splits_of,
    won,
)
from tables_split import LARGE

from tauten.evidence import Difference

TITLES = {
    "plain": "plain", "usual": "usual", "chosen": "chosen", "delivered": "delivered", "linear": "logistic, ridge",
    "mlp": "scikit-learn MLP", "catboost": "CatBoost", "xgboost": "XGBoost", "realmlp": "RealMLP-TD",
    "realmlp5": "RealMLP-TD × 5", "realmlpraw": "RealMLP-TD unweighted",
}  # fmt: skip
PAPER = {
    "adult": (76.89, 82.44), "anneal": (84.13, 89.27), "australian": (86.27, 87.09),
    "blood-transfusion-service-center": (67.84, 67.62), "car": (97.44, 99.59), "cnae-9": (87.50, 95.83),
    "connect-4": (73.63, 80.07), "credit-g": (69.40, 74.64), "kc1": (70.27, 74.38), "mfeat-factors": (97.75, 98.00),
    "phoneme": (87.51, 86.62), "vehicle": (83.77, 82.58),
}  # fmt: skip
"""Balanced accuracy of plain and of the cocktail, in percent: Kadra et al. 2021, NeurIPS, appendix; split seed 11."""
HEAD = """## Beside other libraries

    python benchmarks/tables.py run --tables DIR
    python benchmarks/datasets.py table

{tables} tables, each split as Kadra et al. (2021) do it: a stratified fifth is the test, by scikit-learn's
`train_test_split(random_state=seed)`, seeds {seeds}; tables of more than {large:,} rows by the first seed alone. Nobody
sees the test rows before the answer; rows that repeat may stand on both sides, as they do there. Tauten searches the
other rows ({budgets}, on all cores), its own holdout among them, for balanced accuracy with
`class_weight="balanced"`, or for RMSE; then `tauten.compare(deliver=True)` trains plain, usual and chosen on all of
them, one network each, and its seconds count too. *Delivered* is what the verdict hands over: plain where there is no
evidence, else chosen.

The others have the same rows, the same columns read as the same kinds, all cores, and their libraries' defaults; where
the metric is balanced accuracy they are weighted by class. RealMLP-TD takes no weights: it is trained for
probabilities as its authors advise (validation's cross-entropy, no label smoothing) and decides by probability over the
class's share, the best decision for this metric; *unweighted* is its defaults. Logistic regression (C by 5-fold
cross-validation), ridge and scikit-learn's MLP get Tauten's preprocessing. Weights make probabilities of rare classes
too high, by design, so log loss is comparable among those who are weighted, which RealMLP-TD is not.

Balanced accuracy in percent, RMSE for {numbers}: mean over splits ± their standard deviation.
"""


def section(into: str = "tables") -> str:
    """The second section of docs/results.md; empty where nothing has been measured."""
    found = list(record.load(into).values())
    splits = splits_of(found)
    if not splits:
        return ""
    pool = everywhere(splits, (*OWN, *PEERS))
    words = [_head(splits), _tables(splits), _contenders(splits, pool), _reading(splits, pool)]
    words += [*_targets(splits, pool), _paper(splits), *_unfinished(splits)]
    return "\n".join([*words, "", record.sentence(found) + "."]) + "\n"


def _unfinished(splits: Sequence[Answered]) -> list[str]:
    """What has not been run yet, so that nobody takes a part for the whole."""
    from tables import SEEDS

    missing = [
        f"{TITLES[arm]} on {len(absent)}"
        for arm in ("chosen", *PEERS)
        if (absent := [s for s in splits if arm not in s.arms])
    ]
    small = {name for name, own in by_table(splits).items() if own[0].rows <= LARGE}
    undone = sum(len(SEEDS) - len(own) for name, own in by_table(splits).items() if name in small)
    missing += [f"everyone on {undone}"] if undone else []
    return [f"\nNot run yet, of these tables' splits: {', '.join(missing)}."] if missing else []


def _head(splits: Sequence[Answered]) -> str:
    budgets = {f"{s.told['budget']:g} s" + (" for the larger" if s.rows > LARGE else ""): None
               for s in sorted(splits, key=lambda s: s.rows > LARGE)}  # fmt: skip
    return HEAD.format(
        tables=len(by_table(splits)),
        seeds=", ".join(map(str, sorted({s.seed for s in splits}))),
        large=LARGE,
        budgets=", ".join(budgets),
        numbers=" and ".join(sorted({s.table for s in splits if s.metric == "rmse"})) or "numbers",
    )


def _tables(splits: Sequence[Answered]) -> str:
    arms = [a for a in (*OWN, *PEERS, "realmlp5") if any(a in s.arms for s in splits)]
    lines = [
        "| data | rows | " + " | ".join(TITLES[a] for a in arms) + " | verdicts |", "|---" * (len(arms) + 3) + "|"
    ]  # fmt: skip
    for name, own in by_table(splits).items():
        verdicts = Counter(s.told["verdict"] for s in own)
        told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(verdicts.items()))
        lines.append(f"| {name} | {own[0].rows} | " + " | ".join(_cell(own, a) for a in arms) + f" | {told} |")
    return "\n".join(lines) + "\n"


def _cell(splits: Sequence[Answered], arm: str) -> str:
    here = [s for s in splits if arm in s.arms]
    if not here:
        return "—"
    scale, digits = (100, 1) if here[0].metric == "balanced_accuracy" else (1, 3)
    values = [scale * s.arms[arm][s.metric] for s in here]
    return f"{fmean(values):.{digits}f}" + (f" ± {stdev(values):.{digits}f}" if len(values) > 1 else "")


def _contenders(splits: Sequence[Answered], pool: Sequence[str]) -> str:
    ranks = places(splits, pool)
    classes = [s for s in splits if s.metric == "balanced_accuracy"]
    lines = [
        "| contender | mean rank | chosen is ahead by, places | won, even, lost | by, points | balanced accuracy | "
        "accuracy | log loss | seconds | larger tables |",
        "|---" * 10 + "|",
    ]
    shown = [*sorted(pool, key=lambda a: ranks[a].mean()), *_others(splits, pool)]
    for arm in shown:
        figures = [f"{ranks[arm].mean():.2f}" if arm in pool else "—"]
        itself = arm == "chosen"
        figures.append("" if itself else _difference(ahead(splits, "chosen", arm, pool)))
        figures.append("" if itself else ", ".join(map(str, won(splits, "chosen", arm))))
        figures.append("" if itself else _difference(points_ahead(splits, "chosen", arm), 1))
        for figure, scale, digits in (("balanced_accuracy", 100, 1), ("accuracy", 100, 1), ("log_loss", 1, 3)):
            complete = classes and everywhere(classes, [arm])
            means = [scale * mean(own, arm, figure) for own in by_table(classes).values()] if complete else []
            figures.append(f"{fmean(means):.{digits}f}" if means else "—")
        figures += [_seconds(splits, arm, large) for large in (False, True)]
        lines.append(f"| {TITLES[arm]} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def _others(splits: Sequence[Answered], pool: Sequence[str]) -> list[str]:
    """Arms that don't stand in the ranking."""
    return [a for a in ("delivered", *PEERS, *EXTRA) if a not in pool and any(a in s.arms for s in splits)]


def _seconds(splits: Sequence[Answered], arm: str, large: bool) -> str:
    contender = "tauten" if arm in (*OWN, "delivered") else arm
    own = [s.seconds[contender] for s in splits if (s.rows > LARGE) == large and contender in s.seconds]
    return f"{median(own):.1f}" if own else "—"


def _difference(found: Difference | None, digits: int = 2) -> str:
    return "—" if found is None else f"{found.mean:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"


def _reading(splits: Sequence[Answered], pool: Sequence[str]) -> str:
    """How to read the table of contenders."""
    p = f"{friedman(splits, pool):.2g}" if len(pool) > 2 and len(by_table(splits)) > 1 else "—"
    return (
        f"Ranks are among {', '.join(TITLES[a] for a in pool)}, split by split, mean over a table's splits; intervals "
        f"are of paired differences over the {len(by_table(splits))} tables (95 %, each for itself; fewer tables where "
        f"a contender has answered fewer). Friedman's test that all are alike: p = {p}. *Seconds* are medians over "
        "splits, for plain, usual and chosen together the whole search and the training of all three.\n\nThe targets:\n"
    )


def _targets(splits: Sequence[Answered], pool: Sequence[str]) -> list[str]:
    """The targets one by one, each with its figures."""
    against = {arm: ahead(splits, "chosen", arm, pool) for arm in (*OWN, *PEERS, *EXTRA) if arm != "chosen"}
    lines = [
        _target(f"chosen better than {arm} in mean rank by more than chance", against[arm], _beyond_chance)
        for arm in ("plain", "usual")
    ]
    lines.append(_never_worse(splits))
    for arm in ("mlp", "realmlp", *EXTRA):
        if found := against.get(arm):
            lines.append(_target(f"mean rank ahead of {TITLES[arm]}", found, lambda d: d.mean > 0))
            lines[-1] += " Within chance." if found.mean > 0 and not _beyond_chance(found) else ""
    if points := points_ahead(splits, "chosen", "catboost"):
        classes = [s for s in splits if s.metric == "balanced_accuracy"]
        level = "level with CatBoost on balanced accuracy (neither interval wholly behind)"
        ranks = ahead(classes, "chosen", "catboost", pool)
        lines.append(_target(level, ranks, lambda d: d.high >= 0 and points.high >= 0))
        lines[-1] += f" In points: {_difference(points, 1)}."
    handed = [_difference(ahead(splits, "delivered", arm, [a for a in pool if a != "chosen"])) for arm in OWN[:2]]
    lines.append(
        f"- What is delivered, in chosen's place, is ahead of plain by {handed[0]} places, of usual by {handed[1]}."
    )
    return [*lines, *_equal_time(splits), ""]


def _target(what: str, found: Difference | None, holds: Callable[[Difference], bool]) -> str:
    if found is None:
        return f"- {what}: too few tables to say."
    answer = "holds" if holds(found) else "does not hold"
    return f"- {what}: **{answer}**, {_difference(found)} places, one-sided p = {found.p:.2g}."


def _beyond_chance(found: Difference) -> bool:
    return found.p < 0.05


def _never_worse(splits: Sequence[Answered]) -> str:
    worse = [f"{s.table} {s.seed}" for s in splits if s.told["gain"]["high"] < 0]
    better = sum(s.told["gain"]["low"] > 0 for s in splits)
    handed = [s for s in splits if s.told["gain"]["high"] < 0 and s.told["verdict"] != "no evidence"]
    return (
        "- chosen never worse than plain by more than its interval (paired over the test rows, 95 %, of these two "
        f"networks): **{'does not hold' if worse else 'holds'}**, worse on {len(worse)} of {len(splits)} splits"
        + (f" ({', '.join(worse)})" if worse else "")
        + f", better on {better}; if there were no difference, {0.025 * len(splits):.1f} of each were expected. "
        f"What is delivered is worse on {len(handed)}."
    )


def _equal_time(splits: Sequence[Answered]) -> list[str]:
    ours, *theirs = (_seconds(splits, arm, False) for arm in ("chosen", "realmlp", "realmlp5"))
    if "—" in theirs:
        return []
    return [
        f"- Equal time: Tauten's part takes {ours} s (median, tables of up to {LARGE:,} rows). RealMLP-TD's defaults "
        f"are one training of {theirs[0]} s and can't use more; with more time it can be an ensemble over five folds, "
        f"which takes {theirs[1]} s. So nobody is cut off: everyone has the time that it takes."
    ]


def _paper(splits: Sequence[Answered]) -> str:
    own = [s for s in splits if s.seed == 11 and s.table in PAPER]
    if not own:
        return ""
    lines = [
        "The same split as the paper's, beside its figures (up to 840 configurations or 4 days a table, networks of "
        "512 units; a quarter of the rows kept for validation). One split is one draw: the table above says how far "
        "another one moves.",
        "",
        "| data | paper's plain | paper's cocktail | plain | chosen |",
        "|---|---|---|---|---|",
    ]
    rows = [(*PAPER[s.table], *(100 * s.arms[a]["balanced_accuracy"] for a in ("plain", "chosen"))) for s in own]
    lines += [f"| {s.table} | " + " | ".join(f"{v:.1f}" for v in r) + " |" for s, r in zip(own, rows, strict=True)]
    return "\n".join([*lines, "| mean | " + " | ".join(f"{fmean(v):.1f}" for v in zip(*rows, strict=True)) + " |"])
