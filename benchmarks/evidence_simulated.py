"""Do the intervals and verdicts keep their promise? Coverage, false proofs and power on known truth.

python benchmarks/evidence_simulated.py run
python benchmarks/evidence_simulated.py table
"""

from collections.abc import Callable
from typing import Any, get_args

import evidence_shapes as shapes
import numpy as np
from record import command, load, missing, save, sentence

from tauten.evidence.simulate import SHARES, Tails, simulate
from tauten.evidence.student import CAUTION
from tauten.evidence.verdict import FEWEST_SEEDS

NAME = "evidence/simulated"
SIZES = (50, 200, 2000)
RUNS, NULL_RUNS, SEEDS = 4000, 16_000, 10
"""A false proof is rare, and its share of 4,000 runs may lie half a percent beside the truth."""
PACKAGES = ("tauten", "numpy", "scipy")


def mixes(n: int, seeds: int = SEEDS) -> dict[str, Any]:
    """Every mix of components and shape, at planted gains of 0 to 3 standard errors."""
    cells = []
    for shares_name, shares in SHARES.items():
        for tails in get_args(Tails):
            if tails == "lopsided seeds" and not shares[1]:
                continue
            by_gain = [
                simulate(n, seeds, runs=RUNS if gain else NULL_RUNS, shares=shares, tails=tails, gain=gain, seed=11)
                for gain in shapes.GAINS
            ]
            cells.append({"shares": shares_name, "tails": tails, "by_gain": [f.to_json() for f in by_gain]})
    return {"n": n, "seeds": seeds, "gains": shapes.GAINS, "cells": cells}


def candidates(n: int) -> dict[str, Any]:
    """Every correction on every shape, one seed: false proofs, and proved and found at 3 standard errors."""
    rows, ends = {}, {}
    for i, (name, draw) in enumerate(shapes.SHAPES.items()):
        rng = np.random.default_rng([n, i])
        x = np.concatenate([draw(rng, (RUNS // 8, n)) for _ in range(8)])
        # The bootstrap of samples of 2,000 would take hours, and there all candidates are near each other.
        again = rng if n <= 200 else None
        ends[name] = shapes.lengths(x)
        null, gain = shapes.corrections(x, again), shapes.corrections(x + 3 / n**0.5, again)
        rows[name] = {
            key: {
                "false proofs": float((null[key] <= 0.05).mean()),
                "proved": float((gain[key] <= 0.05).mean()),
                "found": float((gain[key] <= 0.20).mean()),
            }
            for key in null
        }
    return {"n": n, "runs": RUNS, "shapes": rows, "intervals": ends}


def real() -> dict[str, Any]:
    """Examples and seeds drawn from the gains of a real network."""
    populations = shapes.real_gains()
    cells = [
        {"gains of": name, "n": n, **shapes.on_population(gains, n, SEEDS, RUNS, 12, planted)}
        for name, gains in populations.items()
        for planted in [shapes.GAINS if "loss" in name else (0.0,)]
        for n in SIZES
    ]
    return {"seeds": SEEDS, "runs": RUNS, "cells": cells}


def grouped() -> dict[str, Any]:
    """Groups of examples, and time."""
    cells = [
        {"what": f"{groups} groups, {'skewed' if skewed else 'normal'}", **shapes.in_clusters(groups, skewed, RUNS, 13)}
        for groups in (10, 20, 50, 200)
        for skewed in (False, True)
    ]
    cells += [
        {"what": f"{n:,} in time, correlation {rho:g}", **shapes.in_time(n, rho, RUNS // 2, 14)}
        for n in (200, 2000)
        for rho in (0.3, 0.7)
    ]
    return {"seeds": SEEDS, "runs": RUNS, "runs in time": RUNS // 2, "cells": cells}


def areas(n: int) -> dict[str, Any]:
    """The stratified crossed bootstrap of AUC and balanced accuracy."""
    runs = RUNS // 2 if n <= 200 else RUNS // 8
    cells = [
        {"metric": metric, "gain": gain, **shapes.on_metric(metric, n, gain, runs, 15)}
        for metric in ("AUC", "balanced accuracy")
        for gain in (0.0, 0.5)
    ]
    return {"n": n, "seeds": 5, "draws": 199, "runs": runs, "cells": cells}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "mixes_0050": lambda: mixes(50),
    "mixes_0200": lambda: mixes(200),
    "grouped": grouped,
    "real": real,
    "candidates_0050": lambda: candidates(50),
    "candidates_0200": lambda: candidates(200),
    "candidates_2000": lambda: candidates(2000),
    "mixes_2000": lambda: mixes(2000),
    "few_0500": lambda: mixes(500, FEWEST_SEEDS),
    "few_2000": lambda: mixes(2000, FEWEST_SEEDS),
    "areas_0050": lambda: areas(50),
    "areas_0200": lambda: areas(200),
    "areas_2000": lambda: areas(2000),
}


def run(only: str, again: bool) -> None:
    """The parts that are missing."""
    for part in missing(NAME, tuple(PARTS), only, again):
        print(part, flush=True)
        save(NAME, part, PARTS[part](), PACKAGES)


def section() -> str:
    """The tables, as far as there are figures."""
    found = load(NAME)
    if not found:
        return ""
    texts = [
        _candidates([found[p] for p in found if p.startswith("candidates")]),
        _mixes([found[p] for p in found if p.startswith("mixes")]),
        _mixes([found[p] for p in found if p.startswith("few")], "The same with the fewest replicates that may prove"),
        _real(found["real"]) if "real" in found else "",
        _grouped(found["grouped"]) if "grouped" in found else "",
        _areas([found[p] for p in found if p.startswith("areas")]),
    ]
    made = f"Made by\n\n    python benchmarks/evidence_simulated.py run\n\n{sentence(list(found.values()))}.\n"
    return "\n".join([*(text for text in texts if text), made])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _candidates(parts: list[dict[str, Any]]) -> str:
    if not parts:
        return ""
    text = f"""### Which correction for skewness

One seed, so that everything comes from examples; {parts[0]["runs"]:,} runs a cell. False proofs (one-sided 5 %) /
proved at a gain of 3 standard errors / found (20 %) there, in percent. *t and Hall* is the less certain of the two; ×
is the factor on the sample's skewness. `compare` takes × {CAUTION:g} for its p.
"""
    for part in parts:
        keys = list(next(iter(part["shapes"].values())))
        rows = [
            [shape, *(" / ".join(f"{100 * own[k][w]:.0f}" if w != "false proofs" else _percent(own[k][w])
                                 for w in ("false proofs", "proved", "found")) for k in keys)]
            for shape, own in part["shapes"].items()
        ]  # fmt: skip
        text += f"\nn = {part['n']:,}:\n\n" + _table(["gains of examples", *keys], rows)
    keys = list(next(iter(parts[0]["intervals"].values())))
    rows = [
        [shape, f"{part['n']:,}", *(f"{_percent(own[k]['coverage'])} / {own[k]['width']:.2f}" for k in keys)]
        for part in parts
        for shape, own in part["intervals"].items()
    ]
    return f"""{text}
Coverage of 95 % intervals in percent / their mean width in true standard errors. `compare` takes × 1.

{_table(["gains of examples", "n", *keys], rows)}"""


def _mixes(parts: list[dict[str, Any]], title: str = "Coverage, null and power of `compare`") -> str:
    if not parts:
        return ""
    null_runs, gain_runs = (figures["runs"] for figures in parts[0]["cells"][0]["by_gain"][:2])
    text = f"""### {title}

{parts[0]["seeds"]} seeds; {null_runs:,} runs for coverage, width and false proofs, {gain_runs:,} for each gain. The
variance of the mean comes in equal parts from what is named (*mostly seeds*: 80 %, the rest equal). Width: the mean
length of the 95 % interval in true standard errors. *skewed*: a lognormal turned round, for examples and residual;
*lopsided seeds*: the same for seeds. Gains are in standard errors; all but the width in percent.
"""
    for part in parts:
        rows = []
        for cell in part["cells"]:
            by = cell["by_gain"]
            rows.append(
                [cell["shares"], cell["tails"], _percent(by[0]["coverage"]), f"{by[0]['width']:.2f}"]
                + [_percent(by[0]["proved"])]
                + [f"{_percent(f['proved'])} / {_percent(f['found'])}" for f in by[1:]]
            )
        head = ["variance from", "shape", "coverage", "width", "false proofs"]
        head += [f"proved / found at {gain:g}" for gain in part["gains"][1:]]
        text += f"\nn = {part['n']:,}:\n\n" + _table(head, rows)
    return text


def _real(part: dict[str, Any]) -> str:
    rows = [
        [c["gains of"], f"{c['skewness']:+.1f}", f"{c['n']:,}", _percent(c["covered"]), f"{c['width']:.2f}"]
        + [_percent(c["proved"]["0"])]
        + [f"{_percent(c['proved'][g])} / {_percent(c['found'][g])}" if g in c["proved"] else "" for g in "123"]
        for c in part["cells"]
    ]
    head = ["gains of", "skewness", "n", "coverage", "width", "false proofs"]
    head += [f"proved / found at {g}" for g in (1, 2, 3)]
    return f"""### The same on gains of a real network

Out-of-fold gains of usual over plain on three tables are the truth: losses moved to mean 0, gains in accuracy (mostly
0) with a random sign for each row. Every run draws n examples and {part["seeds"]} seeds from them, with replacement,
and adds the planted gain to losses. {part["runs"]:,} runs a row.

{_table(head, rows)}"""


def _grouped(part: dict[str, Any]) -> str:
    rows = [[c["what"], *(_percent(c[k]) for k in shapes.BOTH)] for c in part["cells"]]
    return f"""### Groups and time

Groups of 2 to 9 examples share half of an example's gain; in time it follows the one before. `clusters` names the
groups, or blocks of the default length. {part["runs"]:,} runs a row, in time {part["runs in time"]:,}; no gain. Under
20 clusters no verdict says *proved*, whatever p is.

{_table(["examples", "coverage", *shapes.BOTH[1:]], rows)}"""


def _areas(parts: list[dict[str, Any]]) -> str:
    if not parts:
        return ""
    rows = [
        [
            c["metric"],
            f"{p['n']:,}",
            f"{c['truth']:+.3f}",
            f"{p['runs']:,}",
            _percent(c["covered"]),
            f"{c['width']:.3f}",
        ]
        + [_percent(c["proved"])]
        for p in parts
        for c in p["cells"]
    ]
    head = ["metric", "n", "true gain", "runs", "coverage", "width", "p ≤ 5 %"]
    return f"""### AUC and balanced accuracy: `bootstrap_compare`

30 % of the labels are positive; {parts[0]["seeds"]} seeds, {parts[0]["draws"]} draws; the truth by quadrature.

{_table(head, rows)}"""


if __name__ == "__main__":
    command(__doc__, run, section, "parts")
