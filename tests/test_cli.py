"""The command line as a person types it: what it prints, and what it refuses."""

import html
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tauten import cli
from tauten.errors import UsageError
from tauten.show import arms, measured, notes
from tauten.technique import techniques

SEARCH = ["search", "wine", "--trials", "3", "--epochs", "3", "--width", "8", "--depth", "1", "--threads", "1"]


def run(*args):
    """Exit code and what stands on both streams, through the same `main` that the command calls."""
    outcome = CliRunner().invoke(cli.app, [str(a) for a in args])
    if isinstance(outcome.exception, UsageError):
        return 2, f"error: {outcome.exception}"
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome.exit_code, outcome.output


def refused(folder, word, *args):
    """Bad input is one sentence that holds the word, exit code 2, and nothing written."""
    before = sorted(folder.rglob("*"))
    code, text = run(*args)
    assert code == 2, text
    assert text.startswith("error: ")
    assert word in text
    assert "\n" not in text.strip()
    assert sorted(folder.rglob("*")) == before


NET = """from torch import nn
def build():
    return nn.Sequential(nn.Linear(13, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
"""


def test_a_network_is_inspected_for_people_and_for_machines(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    code, text = run("inspect", f"{tmp_path}/net.py:build", "wine")
    assert code == 0
    assert re.search(r"^Sequential: input 13, 3 outputs, 139 weights trained, 0 frozen$", text, re.MULTILINE)
    assert re.search(r"^  2  dropout  8 units  its own rate 0\.3$", text, re.MULTILINE)
    assert re.search(r"^  3\.weight +3 × 8 +24 +decays$", text, re.MULTILINE)
    code, text = run("inspect", f"{tmp_path}/net.py:build", "--shape", "13", "--json")
    told = json.loads(text)
    assert told["places"] == [{"layer": "2", "call": "dropout", "units": [8], "rate": 0.3}]
    assert told["first_recipe"] == {"dropout": {"p": 0.3, "form": "inverted"}}
    assert told["stacked"]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    frame["kind"] = np.where(frame.a + frame.b > 0, "yes", "no")
    path = tmp_path / "table.csv.gz"
    frame.to_csv(path, index=False)
    return path


def test_search_ends_with_a_summary_a_person_understands(tmp_path):
    code, text = run(*SEARCH, "--techniques", "dropout", "--out", tmp_path / "run")
    assert code == 0, text
    assert re.search("PROVED|LIKELY|NO EVIDENCE", text)
    for word in ("plain", "usual", "chosen", "held out", "report.html", "tauten compare wine"):
        assert word in text


def test_a_metric_of_ones_choice_is_named_wherever_its_figures_stand(table, tmp_path):
    small = ["--trials", "3", "--epochs", "2", "--threads", "1", "--techniques", "dropout", "--target", "kind"]
    small += ["--sampler", "random"]
    code, text = run(
        "search", table, *small, "--metric", "auc", "--class-weight", "balanced", "--out", tmp_path / "run"
    )
    assert code == 0, text
    race = re.search(r"best so far .* \(auc ([\d.]+)\)", text.replace("\n", " "))
    figures = json.loads((tmp_path / "run" / "result.json").read_text())
    losses = [t["score"] for t in figures["race"] if t["folds"] == figures["folds"]]
    assert float(race[1]) == pytest.approx(1 - min(losses), abs=5e-4), "the area, not one minus it"
    again = "--target kind --metric auc --class-weight balanced --recipe"
    assert again in text
    assert again in html.unescape((tmp_path / "run" / "report.html").read_text())
    code, text = run("info", tmp_path / "run")
    assert "class weight balanced" in text
    assert text.count(figures["agreement"]["sentence"]) == 1


def test_what_the_holdout_says_is_printed_once(tmp_path):
    told = {"agreement": {"sentence": "The holdout disagrees."}, "warnings": ["The holdout disagrees.", "few rows"]}
    console = Console(record=True, file=io.StringIO())
    notes(console, told)
    assert console.export_text() == "note: few rows\n"


def test_tables_fit_a_narrow_terminal():
    figure = {"mean": 0.5, "low": 0.25, "high": 0.75}
    scores = dict.fromkeys(("balanced_accuracy", "accuracy", "log_loss", "f1", "brier", "auc"), figure)
    searched = {"metric": "balanced_accuracy", "greater_is_better": True, "n_train": 1000, "n_holdout": 200}
    searched |= {arm: {"finals": scores, "holdout": scores} for arm in ("plain", "usual", "chosen")}
    own = {"scores": scores, "epochs_trained": 9}
    compared = {"metric": "auc", "rows": 1000, "replicates": 10, "warnings": [], "differences": {}}
    compared["recipes"] = {"a/long/folder/recipe.toml": own, "plain": own, "usual": own}
    for show in (lambda to: to.print(arms(searched)), lambda to: measured(to, compared)):
        console = Console(record=True, file=io.StringIO(), width=80)
        show(console)
        text = console.export_text()
        assert "…" not in text
        assert "balanced" in text
        assert "(0.2500 to" in text


def test_train_and_compare_on_a_file(table, tmp_path):
    (tmp_path / "mine.toml").write_text("[setting]\nepochs = 3\nwidth = 8\n[techniques.dropout]\np = 0.3\n")
    common = ["--target", "kind", "--threads", "1"]
    code, text = run("train", table, "--recipe", tmp_path / "mine.toml", *common, "--out", tmp_path / "t")
    assert code == 0, text
    assert {p.name for p in (tmp_path / "t").iterdir()} == {"model.safetensors", "recipe.toml", "result.json"}
    code, text = run(
        "compare", table, "--recipe", tmp_path / "mine.toml", "--recipe", "plain", *common, "--out", tmp_path / "c"
    )
    assert code == 0, text
    figures = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert figures["differences"][str(tmp_path / "mine.toml")].keys() >= {"mean", "low", "high", "p", "verdict"}
    d = figures["differences"][str(tmp_path / "mine.toml")]
    assert f"over plain: gain in log_loss {d['mean']:+.4f} ({d['low']:+.4f} to {d['high']:+.4f})" in text


def test_techniques_are_listed_and_explained():
    code, text = run("techniques")
    assert code == 0
    for name in techniques():
        assert name in text
        code, own = run("techniques", name)
        assert code == 0
        assert techniques()[name].paper.split()[0] in own


def test_a_grid_is_raced_as_given(tmp_path):
    grid = ["--sampler", "grid", "--grid", "dropout.p=0.1,0.4", "--grid", "setting.learning_rate=0.001,0.01"]
    code, text = run(*SEARCH[:2], "--trials", "6", *SEARCH[4:], *grid, "--out", tmp_path / "g")
    assert code == 0, text
    race = json.loads((tmp_path / "g" / "result.json").read_text())["race"]
    raced = [
        (t["techniques"]["dropout"]["p"], t["learning_rate"]) for t in race if list(t["techniques"]) == ["dropout"]
    ]
    assert raced == [(0.1, 0.001), (0.1, 0.01), (0.4, 0.001), (0.4, 0.01)]


BAD = {
    "no such file": (["search", "nosuch.csv"], "nosuch.csv"),
    "no such column": (["search", "{table}", "--target", "knid"], "kind"),
    "unknown technique": (["search", "wine", "--techniques", "dropuot"], "dropout"),
    "unknown metric": (["search", "wine", "--metric", "accuracyy"], "accuracy"),
    "metric of another task": (["search", "diabetes", "--metric", "accuracy"], "regression"),
    "unknown sampler": (["search", "wine", "--sampler", "bayes"], "bayes"),
    "unreadable budget": (["search", "wine", "--budget", "soon"], "soon"),
    "no budget": (["search", "wine", "--budget", "0s"], "0"),
    "budget and trials": (["search", "wine", "--budget", "1m", "--trials", "9"], "both"),
    "too few trials": (["search", "wine", "--trials", "1"], "1"),
    "learning rate": (["search", "wine", "--lr", "1e9"], "learning_rate"),
    "epochs": (["search", "wine", "--epochs", "0"], "epochs"),
    "batch size": (["search", "wine", "--batch-size", "-3"], "-3"),
    "optimizer": (["search", "wine", "--optimizer", "lion"], "lion"),
    "folds": (["search", "wine", "--folds", "many"], "many"),
    "too many folds": (["search", "wine", "--folds", "1000"], "1000"),
    "holdout": (["search", "wine", "--holdout", "0.9"], "0.9"),
    "threads": (["search", "wine", "--threads", "all"], "all"),
    "no threads": (["search", "wine", "--threads", "0"], "0"),
    "grid without values": (["search", "wine", "--sampler", "grid"], "--grid"),
    "grid of nothing": (["search", "wine", "--sampler", "grid", "--grid", "dropout"], "dropout"),
    "grid of an unknown key": (["search", "wine", "--sampler", "grid", "--grid", "dropout.q=1"], "'q'"),
    "grid out of bounds": (["search", "wine", "--sampler", "grid", "--grid", "dropout.p=7"], "7"),
    "grid without the sampler": (["search", "wine", "--grid", "dropout.p=0.1"], "--sampler grid"),
    "shape of words": (["inspect", "{net}:build", "--shape", "3,wide"], "3,wide"),
    "shape and data": (["inspect", "{net}:build", "wine", "--shape", "4"], "either"),
    "neither shape nor data": (["inspect", "{net}:build"], "shape"),
    "shape that does not fit": (["inspect", "{net}:build", "--shape", "5"], "(2, 5)"),
    "no function in the file": (["inspect", "{net}:built", "--shape", "4"], "built"),
    "model file": (["search", "wine", "--model", "net.py:build"], "net.py"),
    "taken folder": (["search", "wine", "--out", "{folder}"], "not empty"),
    "no recipe file": (["train", "wine", "--recipe", "nosuch.toml"], "nosuch.toml"),
    "broken recipe": (["train", "wine", "--recipe", "{broken}"], "TOML"),
    "recipe out of bounds": (["train", "wine", "--recipe", "{wrong}"], "1.7"),
    "one recipe to compare": (["compare", "wine", "--recipe", "plain"], "two"),
    "no run to resume": (["resume", "nowhere"], "nowhere"),
    "no such experiment": (["experiment", "dropout-mnits"], "dropout-mnist"),
    "no such technique": (["techniques", "dropuot"], "dropout"),
    "empty file": (["search", "{empty}"], "empty"),
    "one class": (["search", "{single}", "--target", "kind"], "class"),
    "text in a regression target": (["search", "{mixed}", "--target", "y", "--metric", "rmse"], ""),
    "missing target": (["search", "{missing}", "--target", "y"], "y"),
    "infinite target": (["search", "{infinite}", "--target", "y"], "y"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(case, table, tmp_path, monkeypatch):
    frame = pd.read_csv(table)
    files = {"table": table, "folder": tmp_path / "folder"}
    files["folder"].mkdir()
    files["net"] = tmp_path / "own.py"
    files["net"].write_text(NET)
    (files["folder"] / "keep.txt").write_text("mine")
    for name, text in {
        "broken": "[setting",
        "wrong": "[techniques.dropout]\np = 1.7\n",
        "empty": "",
        "single": frame.assign(kind="yes").to_csv(index=False),
        "mixed": frame.assign(y=[str(i) for i in range(59)] + ["many"]).to_csv(index=False),
        "missing": frame.assign(y=[np.nan, *range(59)]).to_csv(index=False),
        "infinite": frame.assign(y=[np.inf, *np.linspace(0, 1, 59)]).to_csv(index=False),
    }.items():
        files[name] = tmp_path / f"{name}.{'toml' if name in ('broken', 'wrong') else 'csv'}"
        files[name].write_text(text)
    monkeypatch.chdir(tmp_path)
    args, word = BAD[case]
    refused(tmp_path, word, *(a.format(**files) for a in args))
