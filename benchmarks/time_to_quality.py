"""How long Tauten takes until its incumbent recipe is as good as each peer's after the peer's whole budget.

    python benchmarks/time_to_quality.py run --tables DIR [--budget 120] [--repeats 3] [--only digits,optuna]
    python benchmarks/time_to_quality.py table

`run` is resumable: one part is one search of one contender on one data set, in a process of its own, and a part whose
figures exist is skipped. DIR holds vehicle.csv.gz, credit-g.csv.gz, phoneme.csv.gz and adult.csv.gz (OpenML, last
column `target`); adult is searched once (by Tauten and random search twice), with five times the budget. Peers need
`pip install tauten[bench]`.

All contenders get the same development rows, folds, network, setting and space of recipes (`arena.py`) and all cores,
one thread each; Tauten alone may train for longer than the setting's epochs, where its budget leaves time for that. The
clock starts when the search is called, after imports and with the table read. Every incumbent is then trained again by
one code, `tauten.compare`: 10 replicates of fresh folds of the whole table, the same folds and seeds for all.
"""

import argparse
import os
import time
from collections.abc import Sequence
from importlib import import_module
from math import inf, isfinite
from statistics import fmean, median
from typing import Any

import record
from quality import Scored, first_time, geometric_mean, lasting_time, typical

NAME, BUDGET, REPEATS = "time_to_quality", 120.0, 3
DATA = ("digits", "vehicle", "credit-g", "phoneme", "adult")
LONG = {"adult": 5}
"""Searched once, with so many times the budget."""
TWICE = ("adult_tauten", "adult_random")
"""Searched again nevertheless; `figures/time_to_quality/notes.md` says why."""
TITLES = {
    "optuna": "Optuna: TPE + MedianPruner over the lean loop",
    "keras": "KerasTuner: Hyperband, Keras on torch",
    "skorch": "HalvingRandomSearchCV over skorch",
    "random": "random search over the lean loop",
}
MODULES = {"tauten": "search_tauten", "keras": "search_keras", "skorch": "search_skorch"}
PACKAGES = (*record.PACKAGES, "optuna", "keras", "keras-tuner", "skorch")
NEEDS = {"keras": ("keras", "keras_tuner"), "skorch": ("skorch",), "optuna": ("optuna",)}
MOST = 24
"""Incumbents of one search that are scored again; of more, those held at times that grow by a constant factor."""
SECTION = """## Time to the same quality

    python benchmarks/time_to_quality.py run --tables DIR
"""
HEAD = """| data | peer | its log loss | Tauten's race, s | for good | delivered | times less | than its own time |
|---|---|---|---|---|---|---|---|"""
NOTE = """
*Log loss*: the peer's incumbent after its whole budget ({budget} s{long}), trained again in 10 replicates of
fresh folds, the same for everyone. *Tauten's race*: seconds until the race's incumbent has at most that mean; *for
good*: from when on every later incumbent has it too; *delivered*: seconds of the shortest whole search, finals,
ablation and training included, whose recipe has it. *Times less*: the peer's budget over the race's seconds. *Than its
own time*: seconds until the peer first held an incumbent as good as its last one, over the race's seconds. Medians over
all pairs of {repeats} repeats; — is never within the budget. Seconds run from the call of the search, with the table
read; importing takes {imports} before. Techniques that all search: {techniques}.
"""


def parts(repeats: int) -> list[str]:
    """The names of all parts, data set by data set and repeat by repeat, so that a cut leaves whole comparisons."""
    return [
        f"{data}_{contender}_{repeat}"
        for data in DATA
        for repeat in range(repeats)
        for contender in ("tauten", *TITLES)
        if data not in LONG or repeat < 1 + (f"{data}_{contender}" in TWICE)
    ]


def run(given: argparse.Namespace) -> None:
    """Run every part that has no figures yet, each in a process of its own."""
    for part in record.missing(given.into, parts(given.repeats), given.only):
        record.apart(__file__, part, given)


def run_part(given: argparse.Namespace) -> None:
    """One contender on one data set: search, then score its incumbents; a peer that isn't installed says so."""
    data, contender, repeat = given.part.split("_")
    began = time.monotonic()
    try:
        for package in NEEDS.get(contender, ()):
            os.environ.setdefault("KERAS_BACKEND", "torch")
            import_module(package)
    except ImportError as error:
        print(f"{given.part}: left out, {error.name} is not installed; pip install 'tauten[bench]'.", flush=True)
        return
    module = import_module(MODULES.get(contender, "search_lean"))
    imports = time.monotonic() - began
    from arena import Arena, source_of

    from tauten.cores import free_cores

    source, seed, cores = source_of(data, given.tables), int(repeat), free_cores()
    budget = given.budget * LONG.get(data, 1)
    if contender == "tauten":
        figures = module.search(source, budget, seed)
    elif contender == "keras":
        figures = module.search(source, budget, seed, cores)
    elif contender == "skorch":
        figures = module.search(Arena.of(source, seed), budget, seed, cores)
    else:
        figures = module.search(Arena.of(source, seed), contender, budget, seed, cores)
    figures["incumbents"] = thinned(figures["incumbents"], budget)
    score(source, [*figures["incumbents"], *figures.get("delivered", [])])
    about = {"data": data, "contender": contender, "repeat": seed, "budget": budget}
    record.save(given.into, given.part, {**about, "import_seconds": round(imports, 2), **figures}, PACKAGES)


def thinned(incumbents: list[dict[str, Any]], budget: float) -> list[dict[str, Any]]:
    """At most `MOST` of them, the last one included: those held at budget / 1.3ᵏ seconds."""
    if len(incumbents) <= MOST:
        return incumbents
    kept: dict[float, dict[str, Any]] = {}
    for k in range(MOST):
        held = [i for i in incumbents if i["seconds"] <= budget / 1.3**k]
        if held:
            kept[held[-1]["seconds"]] = held[-1]
    return [kept[seconds] for seconds in sorted(kept)]


def score(source: str, incumbents: list[dict[str, Any]]) -> None:
    """Write each incumbent's mean log loss by replicate into it, as text; none where it diverged."""
    import tauten

    texts = list(dict.fromkeys(i["recipe"] for i in incumbents))
    if not texts:
        return
    recipes = {str(k): tauten.Recipe.loads(text) for k, text in enumerate(texts)}
    measured = tauten.compare(source, recipes=recipes, metric="log_loss")
    means: dict[str, str] = {}
    for name, text in zip(recipes, texts, strict=True):
        cells, found = measured.scores[name].means, measured.scores[name].finite
        replicates = sorted({r for r, _ in cells}) if found else []
        means[text] = " ".join(f"{fmean(v for (at, _), v in cells.items() if at == r):.6f}" for r in replicates)
    for incumbent in incumbents:
        incumbent["replicates"] = means[incumbent["recipe"]]


def scored(incumbents: Sequence[dict[str, Any]]) -> list[Scored]:
    """Incumbents as `quality` takes them."""
    return [Scored(i["seconds"], tuple(map(float, i["replicates"].split()))) for i in incumbents]


def rows(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures of every (data, peer) for which both sides have parts, best peers (the slowest to reach) first."""
    result = []
    for data in DATA:
        ours = [p for p in found if p["data"] == data and p["contender"] == "tauten"]
        if len({p["budget"] for p in found if p["data"] == data}) > 1:
            raise SystemExit(f"the figures of {data} have unlike budgets; run them into a folder of their own.")
        own = []
        for peer in TITLES:
            theirs = [p for p in found if p["data"] == data and p["contender"] == peer and p["incumbents"]]
            if ours and theirs:
                own.append(_row(data, peer, ours, theirs))
        result += sorted(own, key=lambda row: -row["race"])
    return result


def _row(data: str, peer: str, ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    races, whole = [scored(p["incumbents"]) for p in ours], [scored(p["delivered"]) for p in ours]
    logs = [scored(p["incumbents"]) for p in theirs]
    targets, budget = [log[-1] for log in logs], theirs[0]["budget"]
    race = typical(races, targets, first_time)
    peers = median(first_time(log, log[-1]) for log in logs)
    return {
        "data": data,
        "peer": peer,
        "loss": median(t.mean for t in targets),
        "ours": median(min(i.mean for i in race) for race in races),
        "race": race,
        "near": typical(races, targets, lambda run, target: first_time(run, target, 1.0)),
        "lasting": typical(races, targets, lasting_time),
        "delivered": typical(whole, targets, first_time),
        "ratio": budget / race,
        "whole": budget / typical(whole, targets, first_time),
        "own": peers / race if isfinite(peers) else 0.0,
    }


def table(into: str = NAME) -> str:
    """The table and what it says in Markdown; empty where nothing has been measured."""
    found = list(record.load(into).values())
    lines = rows(found)
    if not lines:
        return ""
    body = [
        f"| {r['data']} | {TITLES[r['peer']]} | {r['loss']:.4f} | {_seconds(r['race'])} | {_seconds(r['lasting'])} | "
        f"{_seconds(r['delivered'])} | {r['ratio']:.1f} | {r['own']:.1f} |"
        for r in lines
    ]
    budgets = sorted({p["budget"] for p in found if p["data"] not in LONG}) or [0.0]
    imports = {c: median(p["import_seconds"] for p in found if p["contender"] == c) for c in ("tauten", *TITLES)
               if any(p["contender"] == c for p in found)}  # fmt: skip
    note = NOTE.format(
        budget=", ".join(f"{b:g}" for b in budgets),
        long="".join(
            f"; {data} {budgets[0] * LONG[data]:g} s" for data in LONG if any(p["data"] == data for p in found)
        ),
        repeats=1 + max(p["repeat"] for p in found),
        techniques=_techniques(),
        imports=", ".join(f"{seconds:.1f} s ({name})" for name, seconds in imports.items()),
    )
    return "\n".join([HEAD, *body, note, verdict(lines), "", record.sentence(found)]) + "\n"


def section() -> str:
    """What docs/performance.md says of it; empty where nothing has been measured."""
    text, notes = table(), record.FIGURES / NAME / "notes.md"
    return f"{SECTION}\n{text}" + ("\n" + notes.read_text() if notes.exists() else "") if text else ""


def verdict(lines: Sequence[dict[str, Any]]) -> str:
    """Against each data set's best peer, the one that takes longest to reach: the geometric mean, and the worst."""
    best = {data: min((r for r in lines if r["data"] == data), key=lambda r: r["ratio"]) for data in DATA
            if any(r["data"] == data for r in lines)}  # fmt: skip
    never = {data: row for data, row in best.items() if row["race"] == inf}
    reached = [row for data, row in best.items() if data not in never]
    slower = [data for data, row in best.items() if row["ratio"] < 1]
    near = [row["near"] for row in best.values()]
    whole = {data: min(r["whole"] for r in lines if r["data"] == data) for data in best}
    missed = "; ".join(
        f"{data}, where its best incumbent has {row['ours']:.4f} and that of {TITLES[row['peer']]} {row['loss']:.4f}"
        for data, row in never.items()
    )
    return (
        f"Against the best peer of each data set: {geometric_mean([r['ratio'] for r in reached]):.1f} times less "
        f"time (geometric mean over the {len(reached)} data sets where the race gets there; target 15), "
        f"{geometric_mean([r['own'] for r in reached]):.1f} times less than the peer's own time; "
        + (f"slower on {', '.join(slower)} (target: none)" if slower else "slower on none")
        + (f". Never within its budget on {missed}" if missed else "")
        + f". Allowing one standard error of the paired difference, it takes {', '.join(map(_seconds, near))} s on "
        f"{', '.join(best)}. Whole searches, which also prove and explain: "
        f"{geometric_mean([w for w in whole.values() if w]):.1f} times less where they get there "
        f"({', '.join(f'{d} {w:.1f}' if w else f'{d} never' for d, w in whole.items())})."
    )


def _seconds(value: float) -> str:
    return "—" if value == inf else f"{value:.1f}"


def _techniques() -> str:
    from arena import TECHNIQUES

    return ", ".join(TECHNIQUES)


if __name__ == "__main__":
    parser = record.parser(__doc__, NAME, BUDGET)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    if given.what == "run":
        run(given)
    elif given.what == "part":
        run_part(given)
    else:
        print(table(given.into), end="")
