"""What the benchmarks of luck and regret count is what a person would count by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import curse
import record
import regret

from tauten import searching
from tauten.data import load
from tauten.finals import Finals


def told(plain, chosen):
    return {"plain": plain, "chosen": chosen}


def search(race, gain, interval, verdict):
    """A search of which finals B said a gain, and fresh rows 0.1 on networks trained alike, 0.05 on all rows."""
    alike = {"alike": told(0.6, 0.5), "delivered": told(0.5, 0.45)}
    return {
        "verdict": verdict,
        "race": told(0.5, race),
        "finals_a": told(0.5, 0.5 - gain),
        "finals_b": told(0.5, 0.5 - gain),
        "interval": interval,
        **alike,
    }


def test_what_flatters_is_positive_and_unfinished_races_do_not_count():
    runs = [search(0.25, 0.2, [0.06, 0.3], "proved"), search(None, 0.4, [0.2, 0.5], "likely")]
    lines = {line.split(" | ")[1]: line.split(" | ") for line in curse._lines("adult", runs)}
    assert lines["race"][2:] == ["1", "+0.2500", "+0.2500", "+0.1500 |"]
    half = stats.t.ppf(0.975, 1) * np.std([0.1, 0.3], ddof=1) / 2**0.5
    assert lines["finals B"][2] == "2"
    assert lines["finals B"][5] == f"+0.2000 ({0.2 - half:+.4f} to {0.2 + half:+.4f}) |"
    assert curse._kept("adult", runs).split(" | ")[4:] == ["1", "0", "1", "0 |"]
    shares = curse._kept("adult", runs).split(" | ")[2:4]
    assert [s.split(" %")[0] for s in shares] == ["50", "0"], "0.1 is in the first interval, 0.05 in none"


def test_a_run_searches_on_few_rows_and_is_judged_by_others(monkeypatch):
    monkeypatch.setattr(curse, "ROWS", 150)
    monkeypatch.setattr(curse, "FRESH", 400)
    digits = load("digits")
    first, again, other = curse.drawn(digits, 0), curse.drawn(digits, 0), curse.drawn(digits, 1)
    assert (first.held.sum(), (~first.held).sum()) == (400, 150)
    assert first.frame.equals(again.frame)
    assert not first.frame.equals(other.frame)
    assert len(set(first.row_hashes())) == 550, "no row is drawn twice"
    monkeypatch.setattr(searching, "Finals", curse.Watched)
    options = {"trials": 3, "setting": {"epochs": 6, "width": 32, "depth": 1}, "techniques": ("dropout",)}
    found = curse.one(digits, 0, **options)
    for stage in ("finals_a", "finals_b", "alike"):
        assert 0 < found[stage]["plain"] < np.log(10), stage
    assert found["finals_b"]["plain"] == pytest.approx(found["alike"]["plain"], rel=0.3)
    low, high = found["interval"]
    assert low <= curse.gain(found["finals_b"]) <= high


def test_only_a_run_of_the_benchmark_watches_finals():
    assert searching.Finals is Finals


def test_regret_counts_from_the_best_to_the_median():
    measured = regret.Measured(np.arange(5.0), np.zeros((5, 3)), np.array([3.0, 1.0, 2.0, np.inf, 5.0]), [0] * 5)
    assert [measured.regret(i) for i in (1, 2, 0)] == [0.0, pytest.approx(2 / 3), pytest.approx(4 / 3)]


def test_each_rule_takes_whom_it_should():
    """Of the six that are best in the race: 0 leads, 1 has the best mean, 2 is nearly as good and simplest."""
    race = np.arange(regret.RACED + 0.0)
    cells = np.full((len(race), 5), 9.0) + race[:, None]
    cells[1] = [1.0, 1.1, 1.2, 1.1, 1.0]
    cells[2] = [1.1, 1.0, 1.2, 1.2, 1.0]
    cells[3:6] = np.inf
    techniques = np.full(len(race), 5)
    techniques[2] = 1
    measured = regret.Measured(race, cells, race, techniques.tolist())
    for taken in measured.choices(3):
        assert taken == {"leader": 0, "mean": 1, "rule": 2}


def test_measurements_are_three_and_apart():
    lines = [line for part in record.load("rungs").values() if part["data"] == "digits" for line in part["recipes"]]
    measured = regret.Measured.of(lines[:20])
    assert measured.cells.shape == (20, 5)
    first, second = map(float, lines[7]["truth"].split())
    assert (measured.race[7], measured.truth[7]) == (first, second)
    stopping = [i for i, line in enumerate(lines[:20]) if "early_stopping" in line["recipe"]]
    full = next(i for i in range(20) if i not in stopping)
    assert measured.cells[full].tolist() == [float(c.split()[-1]) for c in lines[full]["curves"]]


def test_both_tables_are_in_the_page(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert curse.section() in page
    assert regret.section() in page
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    assert curse.section() == regret.section() == ""
