"""False proofs and power of whole searches on small real tables.

python benchmarks/evidence_pipeline.py run --images DIR     # goes on for as long as it is let; --only null or power
python benchmarks/evidence_pipeline.py table

**null**: the only technique is a dummy without effect, whose trainings get other seeds than plain's, so that outcomes
differ by chance alone. The setting is fixed, since a better one is a real gain. **power**: digits of which a fifth of
the labels is noise. **affine**: MNIST (the IDX files in DIR/mnist) under small rotations, shifts, zooms and shears.
"""

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from record import load, missing, save, sentence
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

import tauten
from tauten import finals
from tauten.cells import Arm, Cell
from tauten.data.idx import load_idx
from tauten.draws import derive_seed
from tauten.result import Result

NAME, DUMMY = "evidence/pipeline", "dummy"
TABLES = {"wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}
BATCH = {"null": 25, "power": 4, "affine": 1}
RUNS = {"null": 1000, "power": 40, "affine": 20}
ROWS = {"null": 150, "power": 300, "affine": 1000}
NOISE = 0.2
"""Share of labels replaced by a random one."""
POWER = {
    "power": f"{ROWS['power']} digits of which {NOISE:.0%} of the labels are noise; dropout, weight decay, label "
    "smoothing\nand input noise, 20 trials",
    "affine": f"{ROWS['affine']:,} images of MNIST and a small MLP; rotation, shift, zoom and shear, 12 trials",
}
FIXED = {
    "epochs": 20, "learning_rate": 0.01, "schedule": "constant", "width": 16, "depth": 1, "batch_size": 32,
}  # fmt: skip
STRENGTHS = [0.2, 0.4, 0.6, 0.8, 1.0]
PACKAGES = ("tauten", "torch", "numpy", "scipy", "scikit-learn")


def reseeded(arm: Arm, fold: int, seed: int) -> Cell:
    """A training of the finals; an arm with the dummy gets a seed of its own, another for each strength."""
    own = [t.to_dict() for t in arm.recipe.techniques if t.name == DUMMY]
    return Cell(arm, fold, derive_seed(own, seed) if own else seed)


def null(run: int) -> dict[str, Any]:
    """One search among plain, usual and dummies, on rows drawn from a table."""
    import_module(DUMMY)
    rng = np.random.default_rng([1, run])
    name = list(TABLES)[run % len(TABLES)]
    x, y = TABLES[name](return_X_y=True)
    rows = rng.permutation(len(y))[: ROWS["null"]]
    result = tauten.search(
        x[rows],
        y[rows],
        trials=8,
        setting=FIXED,
        techniques=DUMMY,
        sampler="grid",
        grid={"dummy.strength": STRENGTHS},
        seed=run,
        threads=1,
        precision="fp32",
    )
    return {"table": name, **_figures(result)}


def power(run: int) -> dict[str, Any]:
    """One search over real techniques on digits with noisy labels."""
    rng = np.random.default_rng([2, run])
    x, y = load_digits(return_X_y=True)
    rows = rng.permutation(len(y))[: ROWS["power"]]
    noisy = rng.random(len(rows)) < NOISE
    labels = np.where(noisy, rng.integers(10, size=len(rows)), y[rows])
    result = tauten.search(
        x[rows],
        labels,
        trials=20,
        setting={"epochs": 40, "width": 64, "batch_size": 32},
        techniques="dropout,weight_decay,label_smoothing,input_noise",
        seed=run,
        threads=1,
    )
    return {"table": "digits", **_figures(result)}


def affine(run: int, images: Path) -> dict[str, Any]:
    """One search over affine augmentations on 1,000 images of handwritten digits, drawn from the training part."""
    parts = load_idx(images / "mnist")
    rows = np.random.default_rng([3, run]).permutation(len(parts.train_labels))[: ROWS["affine"]]
    result = tauten.search(
        parts.train_images[rows][:, None],
        parts.train_labels[rows],
        trials=12,
        setting={"epochs": 20, "width": 64, "batch_size": 32, "net": "mlp"},
        techniques="rotation,shift,zoom,shear",
        seed=run,
        threads=1,
    )
    return {"table": "mnist", **_figures(result)}


def _figures(result: Result) -> dict[str, Any]:
    evidence = result.evidence
    difference = evidence["difference"]
    figures = {key: difference[key] for key in ("mean", "low", "high", "p", "n_examples", "n_seeds")}
    held = {key: difference["holdout"][key] for key in ("mean", "low", "high", "n_examples")}
    return {"verdict": result.verdict, "chosen": list(evidence["chosen"]["techniques"]), **figures, "holdout": held}


ONE: dict[str, Callable[[int], dict[str, Any]]] = {"null": null, "power": power}


def run(only: str, again: bool, images: Path) -> None:
    """Batch by batch, those that are missing."""
    finals.Cell = reseeded
    one = {**ONE, "affine": partial(affine, images=images)}
    warnings.simplefilter("ignore")
    parts = sorted(f"{kind}_{i:04}" for kind, size in BATCH.items() for i in range(0, RUNS[kind], size))
    for part in missing(NAME, parts, only, again):
        kind, first = part.split("_")
        runs = [one[kind](i) for i in range(int(first), int(first) + BATCH[kind])]
        save(NAME, part, {"kind": kind, "rows": ROWS[kind], "runs": runs}, PACKAGES)
        print(part, *(r["verdict"] for r in runs), sep=", ", flush=True)


def section() -> str:
    """The two tables, as far as there are figures."""
    found = load(NAME)
    if not found:
        return ""
    runs = {kind: [r for p in found.values() if p["kind"] == kind for r in p["runs"]] for kind in RUNS}
    text = f"""### Whole searches

**Null**: `tauten.search` on {ROWS["null"]} rows of a table, drawn anew for every run, with one technique, which does
nothing, at {len(STRENGTHS)} strengths; only its trainings' seeds are others. *usual* is a candidate as in every
search, and where it is chosen the gain can be a real one; so false proofs are counted where the dummy was chosen.

| table | searches | dummy chosen | of these proved | likely | usual chosen | of these proved |
|---|---|---|---|---|---|---|
"""
    for table in (*TABLES, "all"):
        own = [r for r in runs["null"] if table in (r["table"], "all")]
        dummy = [r for r in own if r["chosen"] == [DUMMY]]
        usual = [r for r in own if r["chosen"] and r["chosen"] != [DUMMY]]
        cells = [len(own), len(dummy), _proved(dummy), sum(r["verdict"] == "likely" for r in dummy), len(usual)]
        text += f"| {table} | {' | '.join(map(str, cells))} | {_proved(usual)} |\n"
    for kind, told in POWER.items():
        text += _power(told, runs[kind]) if runs[kind] else ""
    made = "    python benchmarks/evidence_pipeline.py run --images DIR"
    return f"{text}\nMade by\n\n{made}\n\n{sentence(list(found.values()))}.\n"


def _power(told: str, own: list[dict[str, Any]]) -> str:
    proved, likely = (sum(r["verdict"] == word for r in own) for word in ("proved", "likely"))
    gains, held = [r["mean"] for r in own], [r["holdout"]["mean"] for r in own]
    return f"""
**Power**: {told}. Of {len(own)} searches {proved} ended *proved* and {likely} *likely*: found in
{_interval(proved + likely, len(own))}. The gain in log loss over plain at its own best setting was
{np.median(gains):.3f} in the median, {min(gains):.3f} to {max(gains):.3f}; on the holdouts of
{own[0]["holdout"]["n_examples"]} rows {np.median(held):.3f} in the median.
"""


def _proved(runs: list[dict[str, Any]]) -> str:
    proved = sum(r["verdict"] == "proved" for r in runs)
    return f"{proved} ({_interval(proved, len(runs))})" if runs else "0"


def _interval(count: int, runs: int) -> str:
    """A share in percent with its exact 95 % interval."""
    low, high = stats.binomtest(count, runs).proportion_ci(0.95)
    return f"{100 * count / runs:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--images", type=Path, default=Path("images"), help="the folder of MNIST's folder")
    parser.add_argument("--only", default="", help="parts, comma-separated")
    parser.add_argument("--again", action="store_true", help="also those whose figures exist")
    given = parser.parse_args()
    if given.what == "run":
        run(given.only, given.again, given.images)
    else:
        print(section())
