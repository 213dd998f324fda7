"""A search from data to result: what it leaves, that it repeats itself, that a killed one goes on to the same end."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

import tauten
from tauten.api import load_builder
from tauten.errors import DataError, OptionError, RunError
from tauten.journal import NAME
from tauten.model import Model

SMALL = {
    "trials": 5,
    "setting": {"epochs": 4, "width": 16, "depth": 1},
    "threads": 1,
    "techniques": "dropout,l2,early_stopping",
}
FILES = {"recipe.toml", "result.json", "model.safetensors", "journal.jsonl", "report.html"}
KEYS = {
    "schema", "verdict", "recipe", "setting", "plain", "usual", "chosen", "difference", "ablation",
    "train_seconds_ratio", "n_train", "n_holdout", "holdout_opened", "trials", "gradient_evaluations", "seconds",
    "precision", "threads", "versions", "data_hash", "warnings",
}  # fmt: skip


def timeless(text):
    """result.json without what a clock measured."""
    figures = json.loads(text)
    for key in ("seconds", "race_seconds", "train_seconds_ratio", "threads"):
        figures.pop(key)
    return figures


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "wine"
    return folder, tauten.search("wine", out=folder, **SMALL)


def test_a_run_leaves_its_files_and_its_figures(finished):
    folder, result = finished
    assert {p.name for p in folder.iterdir()} == FILES
    figures = json.loads((folder / "result.json").read_text())
    assert figures.keys() >= KEYS
    assert figures["holdout_opened"] == 1
    assert figures["n_train"] + figures["n_holdout"] == 178
    assert figures["difference"]["low"] <= figures["difference"]["mean"] <= figures["difference"]["high"]
    assert tauten.Recipe.load(folder / "recipe.toml") == result.recipe
    lines = (folder / NAME).read_text().splitlines()
    assert sum('"holdout opened"' in line for line in lines) == 1


def test_the_holdout_is_opened_after_everything_is_trained(finished):
    folder, _ = finished
    kinds = [json.loads(line)["kind"] for line in (folder / NAME).read_text().splitlines()]
    assert "cells" not in kinds[kinds.index("holdout opened") :]
    assert "round" not in kinds[kinds.index("holdout opened") :]


def test_the_model_predicts_alike_after_loading(finished):
    folder, result = finished
    frame = load_wine(as_frame=True).data
    loaded = Model.load(folder)
    assert np.array_equal(loaded.predict_proba(frame), result.model.predict_proba(frame))
    assert set(loaded.predict(frame)) <= {"0", "1", "2"}
    assert np.array_equal(loaded.predict_proba(frame)[:7], loaded.predict_proba(frame[:7]))


def test_one_seed_gives_one_result_whatever_the_threads(finished, tmp_path):
    folder, _ = finished
    tauten.search("wine", out=tmp_path / "again", **{**SMALL, "threads": 3})
    assert timeless((folder / "result.json").read_text()) == timeless((tmp_path / "again" / "result.json").read_text())


def test_the_precision_asked_for_is_the_one_trained_in():
    from tauten.data import load
    from tauten.options import Options
    from tauten.searching import prepare

    def of(**asked):
        return prepare(load("wine"), Options(trials=3, **asked)).builder.precision

    assert of(precision="fp32") == "fp32"
    try:
        assert of(precision="bf16") == "bf16"
    except OptionError:
        assert of() == "fp32", "auto takes what there is"
    else:
        assert of() == "bf16"


def test_without_out_nothing_is_written(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = load_wine(as_frame=True)
    result = tauten.search(table.data, table.target.to_numpy(), **SMALL)
    assert list(tmp_path.iterdir()) == []
    _, same = finished
    assert result.evidence["difference"] == same.evidence["difference"]


def test_a_resumed_run_ends_as_if_never_cut(finished, tmp_path):
    folder, _ = finished
    lines = (folder / NAME).read_bytes().splitlines(keepends=True)
    for i, keep in enumerate((2, len(lines) // 3, len(lines) // 2, len(lines) - 3, len(lines))):
        cut = tmp_path / str(i)
        cut.mkdir()
        (cut / NAME).write_bytes(b"".join(lines[:keep]) + (lines[keep][:9] if keep < len(lines) else b""))
        tauten.resume(cut)
        assert timeless((cut / "result.json").read_text()) == timeless((folder / "result.json").read_text()), keep
        assert (cut / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_a_guess_that_was_told_is_told_again_by_a_resumed_run(tmp_path):
    load_wine(as_frame=True).frame.rename(columns={"target": "kind"}).to_csv(tmp_path / "wine.csv", index=False)
    result = tauten.search(tmp_path / "wine.csv", out=tmp_path / "whole", **{**SMALL, "trials": 3})
    assert "no target column was named: took 'kind'" in result.evidence["warnings"]
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / NAME).write_bytes(b"".join(lines[: len(lines) // 2]))
    tauten.resume(tmp_path / "cut")
    whole, cut = (timeless((tmp_path / name / "result.json").read_text()) for name in ("whole", "cut"))
    assert cut == whole


def test_a_search_against_the_clock_is_told_again_from_its_journal(tmp_path):
    tauten.search("wine", out=tmp_path / "run", budget="3s", threads=1, setting={"epochs": 4, "width": 16})
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / NAME).write_bytes((tmp_path / "run" / NAME).read_bytes())
    tauten.resume(tmp_path / "again")
    figures, again = ((tmp_path / name / "result.json").read_text() for name in ("run", "again"))
    assert again == figures
    seconds, race = (json.loads(figures)[key] for key in ("seconds", "race_seconds"))
    assert list(seconds) == [
        "set-up", "speed", "race", "finals A", "finals B", "ablation", "training", "holdout", "traits",
        "total",
    ]  # fmt: skip
    assert sum(v for k, v in seconds.items() if k != "total") == pytest.approx(seconds["total"], abs=0.1)
    assert 0 < race["training"] < seconds["race"]


def test_kill_and_resume_on_the_command_line(finished, tmp_path):
    folder, _ = finished
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "tauten.cli", "search", "wine", "--trials", "5", "--epochs", "4", "--width", "16"]
    command += ["--depth", "1", "--threads", "1", "--techniques", "dropout,l2,early_stopping", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not ((out / NAME).exists() and (out / NAME).read_bytes().count(b"\n") > 4) and time.monotonic() < deadline:
        assert process.poll() is None, "the search ended before it could be killed"
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "result.json").exists()
    done = subprocess.run([sys.executable, "-m", "tauten.cli", "resume", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert timeless((out / "result.json").read_text()) == timeless((folder / "result.json").read_text())


def test_regression_with_missing_values_and_categories(tmp_path):
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame({"a": rng.normal(size=n), "colour": rng.choice(["red", "green"], n), "b": rng.normal(size=n)})
    frame.loc[::7, "a"] = np.nan
    frame["price"] = frame.b * 3 + (frame.colour == "red") * 10 + rng.normal(size=n) * 0.1 + 50
    frame.to_csv(tmp_path / "t.csv", index=False)
    result = tauten.search(
        tmp_path / "t.csv", target="price", trials=4, setting={"epochs": 12, "width": 16, "learning_rate": 0.03}
    )
    assert result.evidence["metric"] == "rmse"
    predicted = result.model.predict(frame.drop(columns="price"))
    assert np.corrcoef(predicted, frame.price)[0, 1] > 0.95
    assert (
        abs(np.sqrt(np.mean((predicted - frame.price) ** 2)) / result.evidence["chosen"]["finals"]["rmse"]["mean"] - 1)
        < 0.8
    )


def test_holdout_rows_touch_nothing_but_the_holdout_figures(finished):
    """A leak detector: other values in the held-out rows, and all else stays to the bit."""
    from tauten.data import load
    from tauten.options import Options
    from tauten.searching import find, prepare
    from tauten.split import holdout
    from tauten.unrecorded import Unrecorded

    table = load("wine")
    options = Options(trials=4, setting={"epochs": 3, "width": 16}, techniques=("dropout",))
    _, held = holdout(table.row_hashes(), table.y, table.task, 0.2)
    found = []
    for change in (False, True):
        prepared = prepare(table, options)
        if change:
            frame = table.frame.copy()
            frame.iloc[held] = frame.iloc[held].to_numpy() * 3 + 1
            table = type(table)(**{**table.__dict__, "frame": frame})
            prepared = type(prepared)(**{**prepared.__dict__, "table": table})
        found.append(find(prepared, Unrecorded(), lambda _: None))
    a, b = found
    for arm in ("plain", "usual", "chosen"):
        assert np.array_equal(a.finals[arm].rows["log_loss"], b.finals[arm].rows["log_loss"])
        assert not np.array_equal(a.holdout[arm]["log_loss"], b.holdout[arm]["log_loss"])
    assert a.verdict == b.verdict
    assert all(np.array_equal(a.model.delivered.w[k], b.model.delivered.w[k]) for k in a.model.delivered.w)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda out: tauten.search("digits", trials=2, out=out), OptionError, "at least 3"),
        (lambda out: tauten.search("digits", budget="5 weeks", out=out), OptionError, "'5 weeks'"),
        (lambda out: tauten.search("digits", budget="5m", metric="rmse", out=out), OptionError, "'rmse'"),
        (lambda out: tauten.search("digits", budget="5m", sampler="grid", out=out), OptionError, "grid"),
        (lambda out: tauten.search("digits", budget="5m", colour=1, out=out), OptionError, "'colour'"),
        (lambda out: tauten.search("digits", budget="5m", holdout=0.7, out=out), OptionError, "0.7"),
        (lambda out: tauten.search("diabetes", trials=9, techniques="label_smoothing", out=out), OptionError, "is for"),
        (lambda out: tauten.search(np.zeros((30, 2)), np.zeros(30), trials=3, out=out), DataError, "class|value"),
        (lambda out: tauten.search(np.eye(30), None, trials=3, out=out), OptionError, "y is missing"),
        (lambda out: tauten.resume(out), RunError, "out"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(call, error, words, tmp_path):
    with pytest.raises(error, match=words) as caught:
        call(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "\n" not in str(caught.value)


def test_a_diverging_plain_is_said_in_a_sentence():
    with pytest.raises(OptionError, match="plain training diverged at learning rate 100 with sgd"):
        tauten.search(
            "diabetes", trials=4, setting={"optimizer": "sgd", "learning_rate": 100.0, "epochs": 2}, threads=1
        )


def test_a_folder_with_a_run_is_not_overwritten(finished):
    folder, _ = finished
    before = (folder / NAME).read_bytes()
    with pytest.raises(RunError, match="already"):
        tauten.search("wine", out=folder, **SMALL)
    assert (folder / NAME).read_bytes() == before


OWN = {**SMALL, "setting": {"epochs": 4}}
NET = """
import torch
from torch import nn

def build():
    net = nn.Linear(13, 3)
    nn.init.constant_(net.bias, START)
    return net
"""


def test_a_network_with_other_start_weights_is_not_resumed(tmp_path):
    net, folder = tmp_path / "net.py", tmp_path / "run"

    def given(start):
        net.write_text(NET.replace("START", start))
        return load_builder(f"{net}:build")

    first = tauten.search("wine", model=given("0.5"), out=folder, **OWN)
    with pytest.raises(RunError, match="has changed since the run began, or begins with other weights"):
        tauten.resume(folder, model=given("0.25"))
    again = tauten.resume(folder, model=given("0.5"))
    assert again.evidence["chosen"] == first.evidence["chosen"]


def test_other_data_is_not_resumed(finished, tmp_path):
    folder, _ = finished
    (tmp_path / NAME).write_bytes((folder / NAME).read_bytes())
    wine = load_wine(as_frame=True)
    with pytest.raises(RunError, match="changed"):
        tauten.resume(tmp_path, wine.data * 2, wine.target.to_numpy())
