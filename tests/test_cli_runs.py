"""What a person does with a run that has ended: predict rows of a file, and read what was found."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

import tauten
from tauten.conformal import half_width, quantiles
from tauten.errors import OptionError
from tauten.model import Model
from test_cli import refused, run

QUICK = ["--trials", "3", "--epochs", "3", "--width", "8", "--depth", "1", "--threads", "1", "--techniques", "dropout"]


@pytest.fixture(scope="module")
def towns():
    """Classes from a number, a label and a column with gaps."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"size": rng.normal(size=90), "town": rng.choice(["Ghent", "Bonn", "Oslo"], 90)})
    frame["age"] = np.where(rng.random(90) < 0.2, np.nan, rng.normal(size=90))
    frame["kind"] = np.where(frame["size"] + (frame.town == "Bonn") > 0, "yes", "no")
    return frame


@pytest.fixture(scope="module")
def searched(towns, tmp_path_factory):
    folder = tmp_path_factory.mktemp("towns")
    towns.to_csv(folder / "towns.csv", index=False)
    code, text = run("search", folder / "towns.csv", "--target", "kind", *QUICK, "--out", folder / "run")
    assert code == 0, text
    return folder / "run"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A regression on two thirds of diabetes, and the third that it never saw."""
    folder = tmp_path_factory.mktemp("diabetes")
    frame = load_diabetes(as_frame=True).frame
    fresh = np.arange(len(frame)) % 3 == 0
    frame[~fresh].to_csv(folder / "old.csv", index=False)
    frame[fresh].to_csv(folder / "new.csv", index=False)
    code, text = run("train", folder / "old.csv", "--recipe", "plain", "--threads", "1", "--out", folder / "run")
    assert code == 0, text
    return folder


def test_classes_come_with_probabilities_whatever_the_order_of_columns(searched, towns, tmp_path):
    towns.to_csv(tmp_path / "as_it_was.csv", index=False)
    towns[["town", "kind", "age", "size"]].assign(more=1).to_csv(tmp_path / "otherwise.csv", index=False)
    for name in ("as_it_was", "otherwise"):
        code, text = run("predict", searched, tmp_path / f"{name}.csv", "-o", tmp_path / f"{name}-p.csv")
        assert code == 0, text
        assert "90 rows predicted" in text
    found = pd.read_csv(tmp_path / "as_it_was-p.csv")
    pd.testing.assert_frame_equal(found, pd.read_csv(tmp_path / "otherwise-p.csv"))
    assert list(found) == ["prediction", "probability_no", "probability_yes"]
    np.testing.assert_allclose(found.probability_no + found.probability_yes, 1)
    np.testing.assert_array_equal(found.prediction, np.where(found.probability_yes > 0.5, "yes", "no"))
    np.testing.assert_allclose(found.iloc[:, 1:], Model.load(searched).predict_proba(towns), rtol=1e-12)


def test_unseen_labels_and_gaps_are_predicted(searched, tmp_path):
    odd = pd.DataFrame({"size": [0.1, None, 2.0], "town": ["Rome", None, "Bonn"], "age": [None, None, 1.0]})
    odd.to_csv(tmp_path / "odd.csv", index=False)
    code, text = run("predict", searched, tmp_path / "odd.csv", "-o", tmp_path / "p.csv")
    assert code == 0, text
    assert pd.read_csv(tmp_path / "p.csv").notna().all(axis=None)


def test_a_result_is_loaded_and_predicts(searched, towns):
    result = tauten.Result.load(searched)
    assert result.verdict == json.loads((searched / "result.json").read_text())["verdict"]["name"]
    assert result.recipe == tauten.Recipe.load(searched / "recipe.toml")
    assert set(result.predict(towns)) <= {"no", "yes"}


def test_intervals_hold_their_share_of_rows_that_training_never_saw(trained, tmp_path):
    new = pd.read_csv(trained / "new.csv")
    for level in (0.5, 0.8, 0.9):
        out = tmp_path / f"{level}.csv"
        code, text = run("predict", trained / "run", trained / "new.csv", "-o", out, "--interval", level)
        assert code == 0, text
        found = pd.read_csv(out)
        inside = ((found.low <= new.target) & (new.target <= found.high)).mean()
        # Three standard errors of a share of these rows, and of the quantile of the rows that trained.
        spread = np.sqrt(level * (1 - level) * (1 / len(new) + 1 / 294))
        assert abs(inside - level) < 3 * spread
        np.testing.assert_allclose((found.low + found.high) / 2, found.prediction)


def test_the_half_width_is_the_one_of_split_conformal_prediction():
    rng = np.random.default_rng(0)
    residuals = np.abs(rng.normal(size=(99, 1)))
    kept = quantiles(residuals)
    np.testing.assert_array_equal(kept, np.sort(residuals[:, 0]))
    assert half_width(kept, 0.9) == np.sort(residuals[:, 0])[89], "the 90th of 99: ⌈100 · 0.9⌉"
    # The promise itself: a fresh residual is within the half width in at least the share, and in hardly more.
    covered = [abs(rng.normal()) <= half_width(quantiles(np.abs(rng.normal(size=(19, 1)))), 0.8) for _ in range(4000)]
    assert abs(np.mean(covered) - 0.8) < 3 * np.sqrt(0.8 * 0.2 / 4000)
    assert len(quantiles(np.abs(rng.normal(size=(5000, 2))))) == 1000
    with pytest.raises(OptionError, match=r"19 residuals are kept of this run, which allow at most 0\.95"):
        half_width(np.arange(19.0), 0.96)


def test_a_run_tells_about_itself(searched, trained):
    code, text = run("info", searched)
    assert code == 0, text
    for word in ("towns.csv", "kind", "90 rows", "plain", "chosen", "held out", "torch", "seed 0", "tauten predict"):
        assert word in text, word
    code, text = run("info", trained / "run")
    assert code == 0, text
    assert "294 rows" in text


BAD = {
    "no run": (["predict", "nowhere", "{data}"], "nowhere"),
    "no data": (["predict", "{run}", "nosuch.csv"], "nosuch.csv"),
    "a column is missing": (["predict", "{run}", "{lacks}"], "town"),
    "text in a number": (["predict", "{run}", "{text}"], "many"),
    "no rows": (["predict", "{run}", "{none}"], "no rows"),
    "taken file": (["predict", "{run}", "{data}", "-o", "{data}"], "exists"),
    "interval of classes": (["predict", "{run}", "{data}", "--interval", "0.9"], "0.9"),
    "interval out of range": (["predict", "{trained}", "{new}", "--interval", "90"], "90"),
    "interval too near to one": (["predict", "{trained}", "{new}", "--interval", "0.9999"], "0.9966"),
    "a module of one's own without it": (["predict", "{own}", "{data}"], "--model"),
    "no run to tell of": (["info", "nowhere"], "nowhere"),
    "a run that was cut off": (["info", "{cut}"], "tauten resume"),
    "not a run": (["info", "{other}"], "not written by tauten"),
    "damaged figures": (["info", "{damaged}"], "result.json"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(case, searched, trained, towns, tmp_path, monkeypatch):
    files = {"run": searched, "trained": trained / "run", "new": trained / "new.csv"}
    for name, frame in {
        "data": towns,
        "lacks": towns.drop(columns="town"),
        "text": towns.assign(size=["many", *map(str, range(89))]),
        "none": towns.iloc[:0],
    }.items():
        files[name] = tmp_path / f"{name}.csv"
        frame.to_csv(files[name], index=False)
    for name in ("own", "cut", "other", "damaged"):
        files[name] = tmp_path / name
        files[name].mkdir()
    (files["other"] / "result.json").write_text("[1]")
    (files["damaged"] / "result.json").write_text("{")
    shutil.copy(searched / "journal.jsonl", files["cut"])
    model = Model.load(searched)
    model = Model(model.recipe, model.delivered, model.preprocessor, None, model.classes, ("kind",), build=lambda: None)
    model.save(files["own"])
    monkeypatch.chdir(tmp_path)
    args, word = BAD[case]
    refused(tmp_path, word, *(a.format(**files) for a in args))
