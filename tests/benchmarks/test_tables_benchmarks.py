"""The benchmark beside other libraries: its splits, what everyone is given, ranks with intervals, and what is said."""

import doctest
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import record
import tables
import tables_figures
import tables_peers
import tables_ranks
import tables_split
import tables_tauten
from tables_split import Answer, Split

ROWS = 240


def frame(seed=0, rows=ROWS):
    """A number with gaps, a label, and a rare class that both tell of."""
    r = np.random.default_rng(seed)
    x, town = r.normal(size=rows), r.choice(["Bonn", "Ghent", "Turin"], rows)
    rare = x + (town == "Ghent") + r.normal(size=rows) / 2 > 1.6
    return pd.DataFrame({"x": np.where(r.random(rows) < 0.1, np.nan, x), "town": town, "target": np.where(rare, 10, 9)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables")
    own = frame()
    own.to_csv(path / "towns.csv.gz", index=False)
    own.assign(target=own["x"].fillna(0) * 3 + 20 + np.arange(ROWS) / 1e3).to_csv(path / "numbers.csv.gz", index=False)
    return path


@pytest.fixture(scope="module")
def towns(folder):
    return tables_split.split_of(folder / "towns.csv.gz", 11)


@pytest.fixture(scope="module")
def numbers(folder):
    return tables_split.split_of(folder / "numbers.csv.gz", 11)


@pytest.mark.parametrize("module", [tables, tables_ranks, tables_split])
def test_examples_in_docstrings(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert found.failed == 0


def test_the_split_is_that_of_the_published_protocol(towns):
    own = frame()
    _, test = train_test_split(own, test_size=0.2, random_state=11, stratify=own["target"])
    # Text would sort "10" before "9" and so draw other rows.
    assert towns.truth.tolist() == test["target"].astype(str).tolist()
    np.testing.assert_array_equal(towns.test["x"], test["x"])
    assert len(towns.train) + len(towns.test) == ROWS


def test_everyone_is_given_the_same_columns(towns, numbers):
    train, test = towns.columns()
    assert train["x"].isna().sum() == towns.train["x"].isna().sum() > 0
    assert train["town"].astype(str).tolist() == towns.train["town"].tolist()
    assert (train.dtypes == test.dtypes).all()
    wide, held = towns.numbers()
    assert wide.shape[1] == held.shape[1] == 5
    assert np.isfinite(wide).all()
    assert (numbers.task, numbers.metric, towns.metric) == ("regression", "rmse", "balanced_accuracy")


def test_a_label_that_training_lacks_is_missing(towns):
    other = Split("towns", 0, towns.task, towns.train, towns.test.assign(town="Oslo"), ())
    assert set(other.columns()[1]["town"]) == {tables_split.MISSING}


def test_codes_are_categories_for_everyone(tmp_path):
    coded = pd.DataFrame({"a": np.arange(ROWS) % 3, "b": np.arange(ROWS) % 2, "target": np.arange(ROWS) // 7 % 2})
    coded.to_csv(tmp_path / "connect-4.csv.gz", index=False)
    split = tables_split.split_of(tmp_path / "connect-4.csv.gz", 11)
    assert [c.kind for c in split.layout.columns] == ["category", "category"]
    assert split.numbers()[0].shape[1] == 5
    assert list(split.columns()[0].select_dtypes("category")) == ["a", "b"]


def test_scores_and_gains_are_of_the_decisions(towns):
    codes = (towns.truth == "10").astype(float)
    exact = Answer(np.stack([codes, 1 - codes], 1) * 0.8 + 0.1, ("10", "9"))
    never = Answer(np.tile([0.1, 0.9], (len(codes), 1)), ("10", "9"))
    assert towns.scores(exact)["balanced_accuracy"] == 1
    assert towns.scores(exact)["log_loss"] == pytest.approx(-np.log(0.9))
    assert towns.scores(never)["balanced_accuracy"] == 0.5
    assert towns.scores(never)["accuracy"] == 1 - codes.mean()
    gain = towns.gain(never, exact)
    assert gain["mean"] == pytest.approx(0.5)
    assert gain["low"] > 0
    # 0.1 over a share below 0.1 is more than 0.9 over the rest.
    assert set(never.divided(np.array([0.05, 0.95])).labels) == {"10"}


def test_gains_of_numbers_are_of_the_rmse(numbers):
    near, far = Answer(numbers.truth + 1), Answer(numbers.truth - 3)
    assert numbers.scores(far)["rmse"] == pytest.approx(3)
    assert numbers.gain(far, near)["mean"] == pytest.approx(2)


def test_everyone_weights_classes_where_the_metric_does(towns):
    wide, held = towns.numbers()
    raw = LogisticRegression().fit(wide, towns.y).predict(held)
    for peer in (tables_peers.linear, tables_peers.mlp):
        (answer,) = peer(towns, 1).values()
        assert towns.scores(answer)["balanced_accuracy"] > balanced_accuracy_score(towns.truth, raw) + 0.03
        assert answer.values.sum(1) == pytest.approx(1)


@pytest.mark.filterwarnings("ignore")  # of the peers' own making
@pytest.mark.parametrize("name", ["catboost", "xgboost", "realmlp", "realmlpraw"])
def test_peers_answer_where_they_are_installed(name, towns, numbers):
    if importlib.util.find_spec(tables_peers.NEEDS[name]) is None:
        pytest.skip(f"{tables_peers.NEEDS[name]} is for benchmarks")
    for split, worst in ((towns, 0.65), (numbers, -1.5)):
        answer = tables_peers.PEERS[name](split, 1)[name]
        score = split.scores(answer)[split.metric]
        assert (score if split.balanced else -score) > worst


def test_numbers_are_answered_in_their_own_unit(numbers):
    spread = numbers.truth.std()
    for peer in (tables_peers.linear, tables_peers.mlp):
        (answer,) = peer(numbers, 1).values()
        assert numbers.scores(answer)["rmse"] < 0.3 * spread


def test_a_part_of_tauten_holds_three_arms(towns):
    answers, told = tables_tauten.arms(towns, 2.0)
    assert set(answers) == {"plain", "usual", "chosen"}
    assert all(towns.scores(a)["balanced_accuracy"] > 0.6 for a in answers.values())
    assert told["verdict"] in ("proved", "likely", "no evidence")
    assert told["gain"]["low"] <= told["gain"]["mean"] <= told["gain"]["high"]
    json.dumps(told, allow_nan=False)


def test_parts_are_skipped_where_they_exist(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    rows = tables.tables_of(folder)
    assert rows == {"numbers": ROWS, "towns": ROWS}
    assert len(tables.parts(rows)) == 2 * 3 * len(tables.CONTENDERS)
    assert [p for p in tables.parts({"big": 6001}) if p.endswith(("12_tauten", "realmlp5"))] == []
    words = ["part", "--part", "numbers_11_linear", "--tables", str(folder), "--into", "try"]
    tables.run_part(tables.arguments(words))
    part = json.loads((tmp_path / "try" / "numbers_11_linear.json").read_text())
    assert part["arms"]["linear"]["rmse"] < 1.5
    assert part["rows"] == [192, 48]
    assert "numbers_11_linear" not in record.missing("try", tables.parts(rows))
    with pytest.raises(SystemExit, match="no tables"):
        tables.tables_of(tmp_path)


def part(table, seed, contender, metric="balanced_accuracy", **arms):
    figures = {arm: {metric: v, "accuracy": 0.5, "log_loss": 0.7} for arm, v in arms.items()}
    own = {"verdict": "proved", "budget": 120.0, "gain": {"mean": 0.01, "low": -0.01, "high": 0.03}}
    made = {"machine": {"cpu": "x", "cores": 4, "flags": []}, "versions": {}, "date": "d", "commit": "c"}
    about = {"table": table, "seed": seed, "contender": contender, "task": "", "rows": [80, 20], "metric": metric}
    return {"made": made, **about, **(own if contender == "tauten" else {}), "seconds": 9.0, "arms": figures}


def made(n=6):
    """Tables on which chosen leads plain by two points, usual by four, CatBoost by nothing."""
    found = []
    for i in range(n):
        for seed in (11, 12):
            base = 0.7 + i / 100 + seed / 500
            bump = 0.002 * (-1) ** i
            found.append(part(f"t{i}", seed, "tauten", plain=base - 0.02 + bump, usual=base - 0.04, chosen=base))
            found.append(part(f"t{i}", seed, "catboost", catboost=base + 0.004 * (-1) ** i))
            found.append(part(f"t{i}", seed, "mlp", mlp=base - 0.1))
    return found


def test_ranks_and_their_intervals_over_tables():
    splits = tables_ranks.splits_of(made())
    pool = ["plain", "usual", "chosen", "catboost"]
    ranks = tables_ranks.places(splits, pool)
    assert ranks["chosen"].tolist() == [2.0, 1.0] * 3
    assert ranks["usual"].tolist() == [4.0] * 6
    ahead = tables_ranks.ahead(splits, "chosen", "catboost", pool)
    by_t = stats.ttest_rel(ranks["catboost"], ranks["chosen"]).confidence_interval(0.95)
    assert ahead.mean == pytest.approx(0.0)
    assert (ahead.low, ahead.high) == pytest.approx((by_t.low, by_t.high))
    assert tables_ranks.points_ahead(splits, "chosen", "usual").mean == pytest.approx(4.0)
    assert tables_ranks.won(splits, "chosen", "catboost") == (3, 0, 3)
    assert tables_ranks.friedman(splits, pool) == pytest.approx(stats.friedmanchisquare(*ranks.values()).pvalue)


def test_errors_rank_the_other_way_and_equals_share():
    found = [part("t", 11, "tauten", "rmse", plain=2.0, usual=3.0, chosen=2.0)]
    ranks = tables_ranks.places(tables_ranks.splits_of(found), ["plain", "usual", "chosen"])
    assert {k: v.tolist() for k, v in ranks.items()} == {"plain": [1.5], "usual": [3.0], "chosen": [1.5]}


def test_what_is_delivered_follows_the_verdict():
    found = [part("t", s, "tauten", plain=0.6, usual=0.5, chosen=0.7) for s in (11, 12)]
    found[1]["verdict"] = "no evidence"
    first, second = tables_ranks.splits_of(found)
    assert (first.arms["delivered"]["balanced_accuracy"], second.arms["delivered"]["balanced_accuracy"]) == (0.7, 0.6)


def test_a_contender_that_lacks_a_split_is_not_ranked_but_compared():
    found = made()[:-1]
    splits = tables_ranks.splits_of(found)
    assert "mlp" not in tables_ranks.everywhere(splits, ("plain", "mlp"))
    assert tables_ranks.ahead(splits, "chosen", "mlp", ["plain", "chosen"]).mean == pytest.approx(2.0)


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Writes parts where the section looks for them, and gives its text."""
    monkeypatch.setattr(record, "FIGURES", tmp_path)

    def write(found):
        (tmp_path / "tables").mkdir(exist_ok=True)
        for p in found:
            (tmp_path / "tables" / f"{p['table']}_{p['seed']}_{p['contender']}.json").write_text(json.dumps(p))
        return tables_figures.section()

    return write


def test_the_section_says_which_targets_hold(written):
    assert written([]) == ""
    text = written(made())
    assert "chosen better than plain in mean rank by more than chance: **holds**" in text
    assert "more than its interval (paired over the test rows, 95 %, of these two networks): **holds**" in text
    assert "mean rank ahead of scikit-learn MLP: **holds**" in text
    assert "level with CatBoost on balanced accuracy (neither interval wholly behind): **holds**" in text
    assert "| t0 | 100 | 70.5 ± 0.1 | 68.3 ± 0.1 | 72.3 ± 0.1 | 62.3 ± 0.1 | 72.7 ± 0.1 | 2 proved |" in text


def test_the_section_says_which_targets_do_not_hold(written):
    found = made()
    for p in found:
        if p["contender"] == "tauten":
            p["arms"]["chosen"], p["arms"]["plain"] = p["arms"]["plain"], p["arms"]["chosen"]
    found[0]["gain"] = {"mean": -0.03, "low": -0.05, "high": -0.01}
    text = written(found)
    assert "chosen better than plain in mean rank by more than chance: **does not hold**" in text
    assert "**does not hold**, worse on 1 of 12 splits (t0 11), better on 0" in text
    assert "on balanced accuracy (neither interval wholly behind): **does not hold**" in text


def test_unlike_budgets_are_refused():
    found = made(1)
    found[0]["budget"] = 5.0
    with pytest.raises(SystemExit, match="unlike budgets"):
        tables_ranks.splits_of(found)
