"""Plain, usual and chosen on seven data sets: one search each, figures as JSON, and the table of docs/results.md.

    python benchmarks/datasets.py run --tables DIR [--budget 60s] [--only digits,wine]
    python benchmarks/datasets.py table

`run` is resumable: a data set whose figures exist is skipped. DIR holds phoneme.csv.gz, vehicle.csv.gz and
credit-g.csv.gz (OpenML, last column `target`).
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import images_figures
import tables_figures
import text_figures

from tauten.cores import free_cores

HERE = Path(__file__).parent
FIGURES = HERE / "figures" / "datasets"
DOCS = HERE.parent / "docs" / "results.md"
BUNDLED = ("digits", "breast_cancer", "wine", "diabetes")
TABLES = ("phoneme", "vehicle", "credit-g")
HEAD = """# Results

One search for each data set; the network is the built-in residual MLP (2 × 128). *Finals* are fresh folds and seeds of
the development rows, *held out* the sealed 20 %; 95 % intervals; log loss for classes, RMSE for numbers (lower is
better). Gain is chosen against plain in the finals, paired. Made by

    python benchmarks/datasets.py run --tables DIR --budget {budget}
    python benchmarks/datasets.py table

on {machine}, {date}, commit {commit}.

"""


def run(tables: Path | None, budget: str, only: list[str]) -> None:
    """Search every data set that has no figures yet."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    for name in only or [*BUNDLED, *TABLES]:
        target = FIGURES / f"{name}.json"
        if target.exists():
            continue
        source = name if name in BUNDLED else f"{tables}/{name}.csv.gz"
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "tauten.cli",
                "search",
                source,
                "--budget",
                budget,
                "--out",
                f"{folder}/run",
            ]
            subprocess.run(command, check=True)
            figures = json.loads((Path(folder) / "run" / "result.json").read_text())
        figures["source"] = name
        for bulky in ("race", "curves"):
            figures.pop(bulky)
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        figures["made"] = {
            "budget": budget,
            "date": datetime.date.today().isoformat(),
            "commit": commit,
            "machine": f"{free_cores()} cores, {platform.machine()}",
        }
        target.write_text(json.dumps(figures, indent=1) + "\n")


def cell(figure: dict[str, float]) -> str:
    """A figure with its interval, or alone where there were too few rows for one."""
    if figure["low"] is None:
        return f"{figure['mean']:.4f}"
    return f"{figure['mean']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})"


def page() -> str:
    """docs/results.md as the figures have it; after it the sections of `tables`, `images` and `text`."""
    found = [
        json.loads((FIGURES / f"{n}.json").read_text()) for n in (*BUNDLED, *TABLES) if (FIGURES / f"{n}.json").exists()
    ]
    made = found[0]["made"]
    lines = [HEAD.format(**made)]
    for part, title in (("finals", "Finals"), ("holdout", "Held out")):
        lines.append(
            f"## {title}\n\n| data | metric | plain | usual | chosen |"
            + (" gain | verdict |" if part == "finals" else "")
        )
        lines.append("|---|---|---|---|---|" + ("---|---|" if part == "finals" else ""))
        for f in found:
            second = "accuracy" if f["task"] == "classification" else "mae"
            for metric in (f["metric"], second):
                row = [f["source"], metric, *(cell(f[arm][part][metric]) for arm in ("plain", "usual", "chosen"))]
                if part == "finals":
                    row += [cell(f["difference"]), f["verdict"]["name"]] if metric == f["metric"] else ["", ""]
                lines.append("| " + " | ".join(row) + " |")
        lines.append("")
    lines.append(
        "## Recipes and cost\n\n| data | rows | chosen | train time × plain | recipes raced | seconds |\n"
        "|---|---|---|---|---|---|"
    )
    for f in found:
        values = "; ".join(
            f"{name} {', '.join(f'{v:.3g}' for v in own.values() if isinstance(v, float | int))}"
            for name, own in f["chosen"]["techniques"].items()
        )
        lines.append(
            f"| {f['source']} | {f['n_train']} + {f['n_holdout']} | {values} | {f['train_seconds_ratio']:.2f} | "
            f"{f['trials']} | {f['seconds']['total']:.0f} |"
        )
    notes = [f"- {f['source']}: {w}" for f in found for w in f["warnings"]]
    lines += ["", "## Notes of the runs", "", *notes]
    text = "\n".join(lines) + "\n"
    return "\n".join([text, *filter(None, (own.section() for own in (tables_figures, images_figures, text_figures)))])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    if given.what == "run":
        run(given.tables, given.budget, [n for n in given.only.split(",") if n])
    else:
        DOCS.write_text(page(), encoding="utf-8")
        images_figures.draw(DOCS.parent / "figures" / "images.svg")
