"""Plain, usual and chosen beside other libraries on every table of a folder: figures as JSON for docs/results.md.

    python benchmarks/tables.py run --tables DIR [--budget 120] [--only vehicle,_linear]
    python benchmarks/tables.py table
    python benchmarks/datasets.py table

DIR holds tables as NAME.csv.gz, last column `target`; those of up to 6,000 rows are split by seeds 11, 12 and 13,
larger ones by 11 and searched five times as long. `run` is resumable: a part is one contender on one split, in a
process of its own, and a part whose figures exist is skipped. Peers need `pip install tauten[bench]`. The last command
writes the page, with this benchmark as its second section.
"""

import argparse
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd
import record
from tables_split import LARGE, SUFFIX, TARGET

NAME, BUDGET, LONG = "tables", 120.0, 5.0
"""Seconds of a search, and how many times as long it is on a larger table."""
SEEDS = (11, 12, 13)
CONTENDERS = ("tauten", "linear", "mlp", "catboost", "xgboost", "realmlp", "realmlp5", "realmlpraw")
SHORT_ONLY = ("realmlp5",)
"""Not run on larger tables, where five networks of 256 epochs take far longer than everyone else."""
PACKAGES = (*record.PACKAGES, "scikit-learn", "catboost", "xgboost", "pytabkit")


def parts(rows: dict[str, int]) -> list[str]:
    """The names of all parts of tables by their numbers of rows, split by split, so that a cut leaves whole ones.

    >>> parts({"adult": 48842})[:2]
    ['adult_11_tauten', 'adult_11_linear']
    """
    return [
        f"{name}_{seed}_{contender}"
        for name, count in rows.items()
        for seed in (SEEDS if count <= LARGE else SEEDS[:1])
        for contender in CONTENDERS
        if count <= LARGE or contender not in SHORT_ONLY
    ]


def tables_of(folder: Path) -> dict[str, int]:
    """The tables of a folder and their numbers of rows, the largest last."""
    counts = {p.name.removesuffix(SUFFIX): len(pd.read_csv(p, usecols=[TARGET])) for p in folder.glob(f"*{SUFFIX}")}
    if not counts:
        raise SystemExit(f"{folder} holds no tables: say where NAME{SUFFIX} lie with --tables DIR.")
    return dict(sorted(counts.items(), key=lambda item: (item[1] > LARGE, item[0])))


def run(given: argparse.Namespace) -> None:
    """Run every part that has no figures yet, each in a process of its own."""
    rows = tables_of(given.tables)
    for part in record.missing(given.into, parts(rows), given.only):
        name, _, contender = part.rsplit("_", 2)
        budget = given.budget * (1 if rows[name] <= LARGE else LONG)
        # Tauten has threads of its own. The others' wait asleep: spinning ones cost minutes where a core is not free.
        threads = {"OMP_NUM_THREADS": str(record.cores()), "OMP_WAIT_POLICY": "passive"}
        alone = {} if contender == "tauten" else threads
        record.apart(__file__, part, argparse.Namespace(**{**vars(given), "budget": budget}), alone)


def run_part(given: argparse.Namespace) -> None:
    """One contender on one split; seconds from the call with the table read to its answers on the test rows."""
    from tables_peers import NEEDS, PEERS
    from tables_split import split_of
    from tables_tauten import arms

    name, seed, contender = given.part.rsplit("_", 2)
    try:
        import_module(NEEDS.get(contender, "tauten"))
    except ImportError as error:
        print(f"{given.part}: left out, {error.name} is not installed; pip install 'tauten[bench]'.", flush=True)
        return
    split = split_of(given.tables / f"{name}{SUFFIX}", int(seed))
    about = {"table": name, "seed": split.seed, "contender": contender, "task": split.task}
    about |= {"rows": [len(split.train), len(split.test)], "metric": split.metric}
    _ = split.layout  # reading columns is nobody's time
    begin = time.monotonic()
    if contender == "tauten":
        answers, told = arms(split, given.budget)
        about |= {"budget": given.budget, **told}
    else:
        answers = PEERS[contender](split, record.cores())
    seconds = round(time.monotonic() - begin, 2)
    figures = {arm: {k: round(v, 6) for k, v in split.scores(own).items()} for arm, own in answers.items()}
    record.save(given.into, given.part, {**about, "seconds": seconds, "arms": figures}, PACKAGES)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    return record.parser(__doc__, NAME, BUDGET).parse_args(words)


if __name__ == "__main__":
    record.obey(arguments(), run, run_part, "tables_figures")
