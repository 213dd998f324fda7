"""Outer searches: each is the search of its rows, sees nothing of what judges it, and goes on where it was cut off."""

import json
import shutil

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_wine

import tauten
from tauten.api import make_options
from tauten.draws import derive_seed
from tauten.errors import DataError, OptionError
from tauten.journal import NAME
from tauten.nested import FOLDER, _options, outer_splits
from tauten.options import Options
from tauten.searching import Phase, prepare
from tauten.sources import table_of
from test_cli import run
from test_search_sides import visits  # noqa: F401 - a fixture

SMALL = {
    "trials": 4,
    "setting": {"epochs": 3, "width": 16, "depth": 1},
    "threads": 1,
    "techniques": "dropout,l2",
}
FOLDS = 2


def timeless(folder):
    """result.json without what a clock measured."""
    figures = json.loads((folder / "result.json").read_text())
    for key in ("seconds", "race_seconds", "train_seconds_ratio"):
        figures.pop(key)
    if figures["nested"]:
        figures["nested"].pop("seconds")
        for own in figures["nested"]["searches"]:
            own.pop("seconds")
    return figures


@pytest.fixture(scope="module")
def wine():
    return load_wine(as_frame=True).frame.astype({"target": str})


@pytest.fixture(scope="module")
def finished(wine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    wine.to_csv(folder / "wine.csv", index=False)
    return folder / "run", tauten.search(
        folder / "wine.csv", target="target", out=folder / "run", nested=FOLDS, **SMALL
    )


def prepared(data, **options):
    chosen = make_options(**{**SMALL, "nested": FOLDS, **options})
    return prepare(table_of(data, None, "y" if "y" in data else "target", chosen), chosen)


def test_the_main_search_is_as_ever(finished, tmp_path):
    folder, _ = finished
    tauten.search(folder.parent / "wine.csv", target="target", out=tmp_path / "alone", **SMALL)
    alone = timeless(tmp_path / "alone")
    assert alone.pop("nested") is None
    assert alone == {k: v for k, v in timeless(folder).items() if k != "nested"}
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "alone" / "model.safetensors").read_bytes()


def test_an_outer_search_is_the_search_of_its_rows_with_the_outer_fold_as_holdout(finished, wine, tmp_path):
    _, result = finished
    dev = prepared(wine)
    held = dev.sealed.open(lambda: None)
    rest = wine.drop(index=held).reset_index(drop=True)
    splits = outer_splits(dev)
    assert sorted(np.concatenate([s.score for s in splits])) == list(range(len(rest)))
    i = 1
    rest.iloc[splits[i].train].to_csv(tmp_path / "data.csv", index=False)
    rest.iloc[splits[i].score].to_csv(tmp_path / "own.csv", index=False)
    own = tauten.search(
        tmp_path / "data.csv", holdout_file=str(tmp_path / "own.csv"), seed=derive_seed("nested", 0, i), **SMALL
    ).evidence
    said = result.evidence["nested"]["searches"][i]
    assert (said["rows"], said["scored"]) == (len(splits[i].train), len(splits[i].score))
    assert said["finals_gain"] == own["difference"]["mean"]
    assert said["verdict"] == own["verdict"]["name"]
    assert said["techniques"] == own["chosen"]["techniques"]
    for arm in ("plain", "usual", "chosen"):
        assert said["losses"][arm] == pytest.approx(own[arm]["holdout"]["log_loss"]["mean"], rel=1e-12)


def test_figures_are_those_of_the_searches(finished):
    _, result = finished
    own = result.evidence["nested"]
    losses = {arm: np.array([s["losses"][arm] for s in own["searches"]]) for arm in own["figures"]}
    plain = [s["verdict"] == "no evidence" for s in own["searches"]]
    assert (losses["delivered"] == np.where(plain, losses["plain"], losses["chosen"])).all()
    assert own["figures"]["chosen"] == pytest.approx(losses["chosen"].mean())
    gains = losses["plain"] - losses["chosen"]
    ratio = np.mean([s["scored"] / s["rows"] for s in own["searches"]])
    half = stats.t.ppf(0.975, FOLDS - 1) * (1 / FOLDS + ratio) ** 0.5 * gains.std(ddof=1)
    assert own["chosen"]["mean"] == pytest.approx(gains.mean())
    assert own["chosen"]["low"] == pytest.approx(gains.mean() - half)
    promised = np.array([s["finals_gain"] for s in own["searches"]])
    assert own["residual"]["mean"] == pytest.approx((promised - gains).mean())
    assert own["recurring"] == {
        name: sum(name in s["techniques"] for s in own["searches"]) for s in own["searches"] for name in s["techniques"]
    }


def test_a_cut_off_run_ends_as_if_never_cut(finished, tmp_path):
    folder, _ = finished
    lines = (folder / NAME).read_bytes().splitlines(keepends=True)
    outer = [i for i, line in enumerate(lines) if b'"kind":"outer search"' in line]
    assert len(outer) == FOLDS
    assert outer[-1] == len(lines) - 1
    cases = {
        "in the main search": (len(lines) // 3, 0),
        "in the second": (outer[1], 2),
        "at the end": (len(lines), FOLDS),
    }
    for name, (keep, begun) in cases.items():
        cut = tmp_path / name
        cut.mkdir()
        (cut / NAME).write_bytes(b"".join(lines[:keep]))
        for i in range(1, begun + 1):
            shutil.copytree(folder / FOLDER / str(i), cut / FOLDER / str(i))
        if name == "in the second":
            own = (cut / FOLDER / "2" / NAME).read_bytes().splitlines(keepends=True)
            (cut / FOLDER / "2" / NAME).write_bytes(b"".join(own[: len(own) // 2]) + own[len(own) // 2][:9])
        tauten.resume(cut)
        assert timeless(cut) == timeless(folder), name


def test_the_main_result_is_safe_before_outer_searches_begin_and_nothing_is_written_twice(finished, tmp_path):
    folder = finished[0].parent
    begun, at = [], {}

    def watch(event):
        if isinstance(event, Phase) and event.name == "outer search" and not begun:
            begun.append(event)
            at.update({p.name: p.read_bytes() for p in out.iterdir() if p.is_file()})
            at["times"] = {name: (out / name).stat().st_mtime_ns for name in ("recipe.toml", "model.safetensors")}

    out = tmp_path / "run"
    tauten.search(folder / "wine.csv", target="target", out=out, nested=FOLDS, watch=watch, **SMALL)
    assert {"recipe.toml", "model.safetensors", "result.json"} <= at.keys()
    assert "report.html" not in at, "drawn once, at the end"
    first = json.loads(at["result.json"])
    assert first["nested"] is None
    last = json.loads((out / "result.json").read_text())
    assert {k: v for k, v in last.items() if k != "nested"} == {k: v for k, v in first.items() if k != "nested"}
    assert last["nested"]["folds"] == FOLDS
    assert {name: (out / name).stat().st_mtime_ns for name in at["times"]} == at["times"]
    assert "report.html" in {p.name for p in out.iterdir()}


def test_what_is_journaled_is_what_a_search_without_a_folder_finds(finished, wine):
    folder, _ = finished
    found = tauten.search(wine, target="target", nested=FOLDS, **SMALL).evidence["nested"]
    for own in (*found["searches"], found):
        own.pop("seconds")
    assert json.loads(json.dumps(found)) == timeless(folder)["nested"]


def test_a_patient_is_in_one_outer_fold_and_time_goes_on(visits):  # noqa: F811
    patients = prepared(visits, groups="patient", drop="day")
    codes = patients.development.table.groups
    for split in outer_splits(patients):
        assert not set(codes[split.train]) & set(codes[split.score])
    days = prepared(visits, time="day", drop="patient")
    time = days.development.table.time
    for split in outer_splits(days):
        assert time[split.train].max() < time[split.score].min()


def test_the_time_is_shared():
    options = Options(budget=60.0, nested=4)
    assert options.main_budget == 30.0
    assert Options(budget=60.0).main_budget == 60.0
    assert Options(trials=5, nested=4).main_budget is None
    first = _options(options, 0, 32.0, 4)
    assert (first.budget, first.main_budget, first.nested) == (7.0, 7.0, 0)
    assert _options(options, 3, 59.9, 1).budget == 1.0, "each gets something"
    assert first.seed != _options(options, 1, 32.0, 3).seed


def test_screen_report_and_info_tell_of_it(finished):
    folder, _ = finished
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "What the procedure is worth" in page
    code, text = run("info", folder)
    assert code == 0, text
    assert f"{FOLDS} outer searches, each judged on a fold" in text


@pytest.mark.parametrize("folds", [1, -2])
def test_too_few_outer_folds_are_refused(folds):
    with pytest.raises(OptionError, match=f"nested is {folds}; it must be 2"):
        tauten.search("wine", nested=folds, **SMALL)


def test_rows_that_allow_no_outer_folds_are_refused_before_anything_is_written(wine, tmp_path):
    rare = wine.assign(target=wine.target.where(wine.index > 2, "rare"))
    with pytest.raises(DataError, match="nested is 2, which these rows don't allow: class 'rare' has a single row"):
        tauten.search(rare, target="target", nested=FOLDS, out=tmp_path / "run", **SMALL)
    code, text = run("search", "wine", "--trials", "4", "--nested", "500", "--out", tmp_path / "run")
    assert code == 2
    assert text.startswith("error: nested is 500")
    assert not (tmp_path / "run").exists()


def test_comparing_recipes_knows_no_outer_folds():
    with pytest.raises(OptionError, match="leave nested out"):
        tauten.compare("wine", recipes=["plain", "usual"], nested=5)


def test_a_budget_that_ran_over_is_told_of_once_and_as_it_was_given(wine):
    """Outer searches get a second each at least, so two are more than half a second allows."""
    asked = {**SMALL, "trials": None, "budget": 0.6}
    warnings = tauten.search(wine, target="target", nested=FOLDS, **asked).evidence["warnings"]
    (overrun,) = (w for w in warnings if "of a budget of" in w)
    assert "of a budget of 1 s" in overrun
