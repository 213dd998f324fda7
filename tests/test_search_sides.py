"""Groups, time and a person's own holdout through a whole search: who trains, who scores, what is told."""

import json

import numpy as np
import pandas as pd
import pytest

import tauten
from tauten.api import make_options
from tauten.data import load
from tauten.errors import DataError, OptionError
from tauten.folds import clusters
from tauten.journal import NAME
from tauten.searching import prepare
from tauten.sources import table_of
from test_cli import refused, run

SMALL = {"trials": 3, "setting": {"epochs": 3, "width": 8, "depth": 1}, "threads": 1, "techniques": "dropout"}


@pytest.fixture(scope="module")
def visits():
    """40 patients on 240 days; what a patient has in common shows in the target."""
    rng = np.random.default_rng(2)
    patient = rng.integers(0, 40, 240)
    frame = pd.DataFrame(rng.normal(size=(240, 3)), columns=["a", "b", "c"])
    frame["patient"] = [f"p{i}" for i in patient]
    frame["day"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(240), unit="D")).strftime("%Y-%m-%d")
    frame["y"] = frame.a + rng.normal(size=40)[patient] + 0.3 * rng.normal(size=240)
    return frame


def prepared(frame, **options):
    chosen = make_options(**{**SMALL, **options})
    found = prepare(table_of(frame, None, "y", chosen), chosen)
    held = found.sealed.open(lambda: None)
    rest = np.setdiff1d(np.arange(len(found.table.y)), held)
    return found, frame.iloc[rest].reset_index(drop=True), frame.iloc[held]


def test_a_patient_is_on_one_side_of_everything(visits):
    found, rest, held = prepared(visits, groups="patient", drop="day")
    assert list(found.table.frame) == ["a", "b", "c"]
    assert not set(held.patient) & set(rest.patient)
    assert abs(len(held) - 48) <= visits.patient.value_counts().max()
    for name in ("race", "finals A", "finals B"):
        for split in found.development.partition(name, 0):
            assert not set(rest.patient[split.train]) & set(rest.patient[split.score])
    assert len(set(clusters(found.development.table))) == rest.patient.nunique()


def test_what_scores_is_later_than_what_trains(visits):
    found, rest, held = prepared(visits, time="day", drop="patient")
    assert list(found.table.frame) == ["a", "b", "c"]
    assert len(held) == 48
    assert rest.day.max() < held.day.min()
    for split in found.development.partition("race", 0):
        assert rest.day[split.train].max() < rest.day[split.score].min()
    found, rest, _ = prepared(visits, time="day", drop="patient", folds=1)
    (split,) = found.development.partition("race", 0)
    assert rest.day[split.train].max() < rest.day[split.stop].min()
    assert rest.day[split.stop].max() < rest.day[split.score].min()


def test_blocks_of_time_hold_days_that_follow_each_other(visits):
    table = load(visits, "y", time="day")
    blocks = clusters(table)
    assert np.bincount(blocks).min() >= 6, "240 ** (1 / 3)"
    in_order = blocks[np.argsort(visits.day.to_numpy())]
    assert (np.diff(in_order) >= 0).all()


def test_copies_of_a_row_do_not_stand_on_both_sides(visits):
    doubled = pd.concat([visits, visits.iloc[:60]], ignore_index=True)
    found, rest, held = prepared(doubled, drop="patient,day")
    assert not set(held.a) & set(rest.a)
    for split in found.development.partition("race", 0):
        assert not set(rest.a[split.train]) & set(rest.a[split.score])
    assert any("60 of 300 rows repeat another" in note for note in found.table.warnings)


def test_intervals_know_that_patients_repeat(visits):
    grouped = tauten.search(visits, target="y", groups="patient", drop="day", **SMALL).evidence
    assert grouped["plain"]["finals"]["rmse"]["n_clusters"] == visits.patient.nunique() - _held_patients(visits)
    assert any("clusters" in note for note in grouped["warnings"]), "eight patients or so are too few"
    assert grouped["plain"]["holdout"]["rmse"]["low"] is None
    assert grouped["reading"] == {"drop": "day", "groups": "patient"}
    alone = tauten.search(visits, target="y", drop="patient,day", **SMALL).evidence
    assert alone["plain"]["finals"]["rmse"]["n_clusters"] is None


def test_a_holdout_of_one_group_contradicts_nothing_however_many_rows_it_has(visits):
    wards = visits.assign(ward=np.arange(240) // 60, y=visits.y + 3 * (np.arange(240) // 60))
    told = tauten.search(wards, target="y", groups="ward", drop="day,patient", **SMALL).evidence
    assert told["n_holdout"] == 60
    assert "can neither confirm nor contradict finals B (too small: 1 cluster, " in told["agreement"]["sentence"]


def _held_patients(visits):
    return prepared(visits, groups="patient", drop="day")[2].patient.nunique()


def timeless(folder):
    figures = json.loads((folder / "result.json").read_text())
    return {k: v for k, v in figures.items() if k not in ("seconds", "race_seconds", "train_seconds_ratio", "costs")}


def test_a_holdout_of_ones_own_is_all_that_is_held_and_nothing_else_depends_on_it(visits, tmp_path):
    visits.iloc[:180].to_csv(tmp_path / "data.csv", index=False)
    own = visits.iloc[175:]
    own[["y", "day", "c", "b", "a", "patient"]].assign(more=1).to_csv(tmp_path / "own.csv", index=False)
    own.assign(y=own.y + 5).to_csv(tmp_path / "other.csv", index=False)
    found = {}
    for name in ("own", "other"):
        options = {**SMALL, "drop": "patient,day", "holdout_file": str(tmp_path / f"{name}.csv")}
        tauten.search(tmp_path / "data.csv", target="y", out=tmp_path / name, **options)
        found[name] = timeless(tmp_path / name)
    assert (found["own"]["n_train"], found["own"]["n_holdout"]) == (180, 65)
    assert "5 of 65 rows of the holdout repeat a row of the data: they flatter" in found["own"]["warnings"]
    assert found["own"]["plain"]["holdout"] != found["other"]["plain"]["holdout"]
    for arm in ("plain", "usual", "chosen"):
        assert found["own"][arm]["finals"] == found["other"][arm]["finals"]
    assert found["own"]["race"] == found["other"]["race"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("own", "other")]
    assert weights[0] == weights[1]


def test_a_cut_off_search_goes_on_with_the_same_sides(visits, tmp_path):
    visits.iloc[:180].to_csv(tmp_path / "data.csv", index=False)
    visits.iloc[180:].to_csv(tmp_path / "own.csv", index=False)
    own = {"holdout_file": str(tmp_path / "own.csv"), "groups": "patient", "drop": "day"}
    for name, options in {"time": {"time": "day"}, "own": own}.items():
        tauten.search(tmp_path / "data.csv", target="y", out=tmp_path / name, **SMALL, **options)
        lines = (tmp_path / name / NAME).read_bytes().splitlines(keepends=True)
        cut = tmp_path / f"{name} cut"
        cut.mkdir()
        (cut / NAME).write_bytes(b"".join(lines[: len(lines) // 2]))
        tauten.resume(cut)
        assert timeless(cut) == timeless(tmp_path / name)


def test_a_holdout_that_is_no_fair_test_is_told_of(visits, tmp_path):
    visits.iloc[100:160].to_csv(tmp_path / "own.csv", index=False)
    data = visits.iloc[np.r_[:100, 160:240]]
    said = load(data, "y", groups="patient", drop="day", holdout_file=tmp_path / "own.csv").warnings
    assert any("groups of the holdout also occur in the data" in note for note in said)
    said = load(data, "y", time="day", drop="patient", holdout_file=tmp_path / "own.csv").warnings
    assert any("of 60 rows of the holdout are not later than all of the data" in note for note in said)


def test_the_same_flags_are_proposed_for_what_comes_next(visits, tmp_path):
    visits.to_csv(tmp_path / "data.csv", index=False)
    small = ["--trials", "3", "--epochs", "2", "--width", "8", "--threads", "1", "--techniques", "dropout"]
    flags = ["--target", "y", "--drop", "day", "--groups", "patient"]
    code, text = run("search", tmp_path / "data.csv", *flags, *small, "--out", tmp_path / "run")
    assert code == 0, text
    assert "--target y --drop day --groups patient --recipe" in text
    code, text = run("info", tmp_path / "run")
    assert code == 0, text
    assert "drop day; groups patient" in text
    code, text = run(
        "compare", tmp_path / "data.csv", *flags, "--recipe", "plain", "--recipe", "usual", "--threads", "1"
    )
    assert code == 0, text


BAD = {
    "groups and time": (["--groups", "patient", "--time", "day"], "both given"),
    "no such groups": (["--groups", "patent"], "'patient'"),
    "no such time": (["--time", "dya"], "'day'"),
    "no such column to drop": (["--drop", "a,q"], "'q'"),
    "no such labels": (["--categorical", "q"], "'q'"),
    "the target as group": (["--groups", "y"], "target"),
    "a time that is none": (["--time", "patient"], "'patient'"),
    "a group is missing": (["--groups", "gaps"], "missing in 3 rows"),
    "a time is missing": (["--time", "late"], "missing in 2 rows"),
    "one group": (["--groups", "same"], "groups"),
    "one time": (["--time", "same"], "distinct time"),
    "unknown task": (["--task", "ranking"], "ranking"),
    "unknown numeric": (["--numeric", "fourier"], "fourier"),
    "a share and a file": (["--holdout", "0.3", "--holdout-file", "data.csv"], "both given"),
    "no such holdout": (["--holdout-file", "nosuch.csv"], "nosuch.csv"),
    "a holdout without a column": (["--holdout-file", "{lacks}"], "'b'"),
    "a holdout with text for numbers": (["--holdout-file", "{text}"], "'c'"),
    "a holdout without rows": (["--holdout-file", "{none}"], "no rows"),
    "a holdout with a gap in its target": (["--holdout-file", "{gap}"], "missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(case, visits, tmp_path, monkeypatch):
    frame = visits.assign(same=1, gaps=visits.patient.where(visits.index > 2), late=visits.day.where(visits.index > 1))
    files = {
        "lacks": frame.drop(columns="b"),
        "text": frame.assign(c="many"),
        "none": frame.iloc[:0],
        "gap": frame.assign(y=frame.y.where(frame.index > 5)),
    }
    for name, own in {"data": frame, **files}.items():
        own.to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    flags, word = BAD[case]
    given = (flag.format(**{n: f"{n}.csv" for n in files}) for flag in flags)
    refused(tmp_path, word, "search", "data.csv", "--target", "y", *given)


def test_a_class_of_the_holdout_alone_is_refused(visits, tmp_path):
    frame = visits.assign(y=np.where(visits.y > 0, "up", "down"))
    frame.assign(y="sideways").to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(DataError, match="class 'sideways' is in the holdout alone"):
        load(frame, "y", holdout_file=tmp_path / "own.csv")


def test_arrays_take_no_holdout_file(visits):
    with pytest.raises(OptionError, match="holdout_file"):
        tauten.search(visits[["a", "b"]], visits.y, holdout_file="own.csv", **SMALL)
    with pytest.raises(OptionError, match="holdout_file"):
        tauten.compare(visits, target="y", recipes=["plain", "usual"], holdout_file="own.csv")
