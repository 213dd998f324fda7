"""Writes docs/experiments.md and its plots from the figures of all replayed claims.

python benchmarks/claims.py
"""

import json
from pathlib import Path

from matplotlib import rc_context

from tauten.evidence import Difference, Estimate
from tauten.experiments import experiments
from tauten.experiments.claim import TELLERS, Figures, text_of
from tauten.experiments.rows import Row, reading, table

ROOT = Path(__file__).parents[1]
DOCS, FIGURES = ROOT / "docs", ROOT / "benchmarks" / "figures"
KNOWN = experiments()
ORDER = (
    "augmentation", "adamw", "label-smoothing", "early-stopping", "l1-features", "max-norm", "robustness",
    "dropout-ensemble", "co-adaptation", "batch-norm", "bias-variance", "double-descent",
)  # fmt: skip
MNIST = "-mnist"
"""How files of figures end that come from MNIST where the claim's other figures come from the bundled digits."""
HEAD = """# Experiments

Published claims, replayed small. `tauten experiment` lists them; each writes its raw figures, table and plots into
`--out`. All but dropout-mnist train their members on scikit-learn's digits or on made-up data, or with `--data DIR`
on a folder with IDX files such as MNIST's in the place of the digits; those that were run on MNIST name it. How long
a run took stands in its figures, in seconds of processor and, in older ones, by the clock, on a machine that others
used too.
This page is made of them by

    python benchmarks/claims.py

*Points* are differences of percentages; [a, b] is an interval of 95 %, and "beyond chance" means that it leaves out
0; *log loss* is the mean of −log of the probability that the true class is given, so being wrong and sure costs
most.
"""
DROPOUT_CLAIM = "dropout lowers the test error of a plain network"
DROPOUT_SOURCE = "Srivastava et al. 2014, JMLR 15:1929-1958"
DROPOUT = """## dropout-mnist

    tauten experiment dropout-mnist --data DIR --seeds 10 --out runs/dropout-mnist

DIR holds MNIST's four IDX files; without it, they are fetched from OpenML, and without a network the bundled digits
are taken, with a note. The claim: {claim} ({source}). The classic two arms, as they are usually written (the test
set as validation) and with an honest validation split; all seeds of both arms in one population. The 30-epoch runs
on 60,000 rows have 4 seeds, the others 10. Raw figures of every seed and epoch:
[dropout-mnist.json](../benchmarks/figures/dropout-mnist.json). `examples/dropout_mnist.ipynb` holds the same with
Keras code beside it.

{text}

![Usual protocol](figures/dropout-mnist.png)

![Honest protocol](figures/dropout-mnist-honest.png)
"""

BESIDE = {
    "augmentation": """
What affine does, and what turning any way does, to the images on the left; a 6 becomes a 9:

    tauten preview DIR --recipe examples/recipes/affine.toml --rows 5 --views 8 --out affine.png
    tauten preview DIR --recipe examples/recipes/turned.toml --rows 10 --views 8 --out turned.png

![Digits moved a little](figures/preview-affine.png)

![Digits turned by any angle](figures/preview-turned.png)
""",
}
"""What stands under a claim's own plot."""


def load(name: str) -> Figures:
    """The committed figures of this name."""
    found: Figures = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def replays() -> list[str]:
    """Names of the figures that the page tells, in its order; a claim's MNIST figures follow its own."""
    return [name for claim in ORDER for name in (claim, claim + MNIST) if (FIGURES / f"{name}.json").is_file()]


def page() -> str:
    """The page as the figures have it."""
    return "\n".join([HEAD, overview(), dropout(), *map(section, replays())])


def overview() -> str:
    """What is claimed and by whom, a line for each."""
    told = {name: (own["claim"], own["source"]) for name in ORDER if name in replays() for own in [load(name)]}
    told = {"dropout-mnist": (DROPOUT_CLAIM, DROPOUT_SOURCE)} | told
    lines = [f"| [{name}](#{name}) | {says} | {source} |" for name, (says, source) in told.items()]
    return "\n".join(["| experiment | the claim | whose |", "|---|---|---|", *lines, ""])


def section(name: str) -> str:
    """One claim on one set of data."""
    figures = load(name)
    claim = figures["experiment"]
    doc = (KNOWN[claim].__doc__ or "").strip()
    data = " --data DIR" if figures["data"].startswith("MNIST") else ""
    alt = doc.split(":")[0].rstrip(".")
    head = f"## {claim}" if name == claim else f"### {claim}, on MNIST"
    return (
        f"{head}\n\n    tauten experiment {claim}{data} --seeds {figures['seeds']} --out runs/{name}\n\n"
        f"{doc} Figures: [{name}.json](../benchmarks/figures/{name}.json).\n\n"
        f"{text_of(figures, TELLERS[claim](figures))}\n![{alt}](figures/{name}.svg)\n{BESIDE.get(name, '')}"
    )


def dropout() -> str:
    """The first of them, which has a table of its own."""
    found = load("dropout-mnist")
    rows = [
        Row(**{
            **row,
            "arms": {arm: {s: Estimate(**one) for s, one in own.items()} for arm, own in row["arms"].items()},
            "gain": {s: Difference(**one) for s, one in row["gain"].items()},
        })
        for row in found["rows"]
    ]  # fmt: skip
    return DROPOUT.format(
        claim=DROPOUT_CLAIM, source=DROPOUT_SOURCE, text=f"{table(rows, found['data']['note'])}\n\n{reading(rows)}"
    )


def draw(name: str) -> None:
    """The plot of one claim; the same figures give the same file."""
    figures = load(name)
    with rc_context({"svg.hashsalt": figures["experiment"]}):
        plot = TELLERS[figures["experiment"]](figures).plot
        plot.savefig(DOCS / "figures" / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    (DOCS / "experiments.md").write_text(page(), encoding="utf-8")
    for each in replays():
        draw(each)
