"""Every table of a folder through `tauten search FILE --target target --budget 60s`, typed as by a newcomer.

    python benchmarks/budgets.py run --tables DIR [--budget 60] [--only adult,car]
    python benchmarks/budgets.py table

DIR holds tables as NAME.csv.gz with a column `target`. `run` is resumable: a part is one table, and a part whose
figures exist is skipped. Seconds are those of the whole command, start of the interpreter and report included; memory
is the largest that the process ever held.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from tables import tables_of
from tables_split import SUFFIX, TARGET

NAME, BUDGET = "budgets", 60.0
HEAD = """## Budgets

    python benchmarks/budgets.py run --tables DIR

Each table by `tauten search FILE --target target --budget {budget:g}s`, nothing else said of it. Seconds are the whole
command's; memory is its peak.

| table | rows | seconds | memory, MB | recipes raced | epochs, at most | verdict |
|---|---|---|---|---|---|---|
"""


def run(given: argparse.Namespace) -> None:
    """Run every part that has no figures yet, each in a process of its own, so that memory is the part's own."""
    rows = tables_of(given.tables)
    for part in record.missing(given.into, list(rows), given.only):
        record.apart(__file__, part, given)


def run_part(given: argparse.Namespace) -> None:
    """One table."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        source = given.tables / f"{given.part}{SUFFIX}"
        words = ["search", str(source), "--target", TARGET, "--budget", f"{given.budget:g}s", "--out", str(out)]
        begin = time.monotonic()
        ended = subprocess.run([sys.executable, "-m", "tauten.cli", *words], capture_output=True, text=True)
        seconds = time.monotonic() - begin
        if ended.returncode:
            raise SystemExit(f"{given.part} ended with code {ended.returncode}: {ended.stderr[-2000:]}")
        told = json.loads((out / "result.json").read_text())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    figures = {
        "table": given.part,
        "budget": given.budget,
        "rows": told["n_train"] + told["n_holdout"],
        "seconds": round(seconds, 1),
        "bytes": peak,
        "trials": told["trials"],
        "epochs": told["usual"]["setting"]["epochs"],
        "verdict": told["verdict"]["name"],
        "notes": told["warnings"],
    }
    record.save(given.into, given.part, figures)


def section(into: str = NAME) -> str:
    """Of docs/performance.md; empty where nothing has been measured."""
    found = sorted(record.load(into).values(), key=lambda p: p["rows"])
    if not found:
        return ""
    body = [
        f"| {p['table']} | {p['rows']:,} | {p['seconds']:.1f} | {p['bytes'] / 1e6:,.0f} | {p['trials']:,} | "
        f"{p['epochs']} | {p['verdict']} |"
        for p in found
    ]
    late = [p["table"] for p in found if p["seconds"] > 1.1 * p["budget"]]
    early = [p["table"] for p in found if p["seconds"] < 0.9 * p["budget"]]
    most = max(found, key=lambda p: p["bytes"])
    words = (
        f"\nWithin 10 % of its budget: {len(found) - len(late) - len(early)} of {len(found)} tables"
        + (f"; longer: {', '.join(late)}" if late else "")
        + (f"; shorter: {', '.join(early)}" if early else "")
        + f". Most memory: {most['bytes'] / 1e9:.2f} GB, {most['table']} (target: under 4 GB)."
    )
    return HEAD.format(budget=found[0]["budget"]) + "\n".join([*body, words, "", record.sentence(found) + "."]) + "\n"


if __name__ == "__main__":
    given = record.parser(__doc__, NAME, BUDGET).parse_args()
    {"run": run, "part": run_part, "table": lambda given: print(section(given.into), end="")}[given.what](given)
