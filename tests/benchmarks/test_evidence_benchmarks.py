"""The page of evidence is its figures, what they promise holds, and the null of the pipeline is one."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tauten.evidence import compare

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import evidence_pipeline as pipeline
import evidence_shapes as shapes
import evidence_simulated as simulated
import record

import evidence
from tauten import finals
from tauten.cells import Arm, Cell
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import _REGISTRY as REGISTRY


@pytest.fixture(scope="module")
def nothing():
    """The technique without effect; it leaves the registry with this file's tests."""
    from dummy import Dummy

    yield Dummy
    REGISTRY.pop(Dummy.name)


def test_the_page_is_what_the_figures_say():
    assert (evidence.DOCS / "evidence.md").read_text(encoding="utf-8") == evidence.page()


@pytest.mark.parametrize("part", ["mixes_0050", "mixes_0200", "mixes_2000"])
def test_realistic_mixes_cover_and_prove_no_more_than_they_may(part):
    cells = [c["by_gain"] for c in record.load(simulated.NAME)[part]["cells"] if c["tails"] in ("normal", "heavy")]
    assert len(cells) == 10
    for null, *_, gain in cells:
        assert null["runs"] >= 4000
        assert null["coverage"] >= 0.93
        assert null["proved"] <= 0.065
        assert gain["found"] >= 0.95
    # Cells of one part share their draws, so their mean is hardly more certain than one of them.
    runs = cells[0][0]["runs"]
    assert np.mean([null["proved"] for null, *_ in cells]) <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_candidates_are_what_scipy_computes():
    x = np.random.default_rng(0).exponential(size=(3, 40)) - 0.5
    found = shapes.corrections(x, np.random.default_rng(1), draws=199)
    for i, own in enumerate(x):
        test = stats.ttest_1samp(own, 0.0, alternative="greater")
        assert found["Student's t"][i] == pytest.approx(test.pvalue)
        skewness = stats.skew(own) / 40**0.5
        johnson = test.statistic + skewness / 6 + skewness / 3 * test.statistic**2
        assert found["Johnson"][i] == pytest.approx(stats.t.sf(johnson, 39))
        by_compare = compare(own, np.zeros(40)).p
        assert found["t and Hall × 1.5"][i] == pytest.approx(by_compare, rel=0.1)
    by_hand = shapes.lengths(x)["Student's t"]["width"]
    ends = [stats.ttest_1samp(own, 0.0).confidence_interval(0.95) for own in x]
    assert by_hand == pytest.approx(np.mean([e.high - e.low for e in ends]) * 40**0.5)


def test_empirical_likelihood_is_the_profile_of_its_weights():
    x = np.random.default_rng(2).normal(0.3, 1, (1, 30))
    signed = shapes._likelihood(x)[0]
    # Owen's weights 1 / (n (1 + λ x)) sum to 1 and have mean 0; the ratio is theirs.
    low, high = -1 / x.max(), -1 / x.min()
    grid = np.linspace(low, high, 200_001)[1:-1]
    multiplier = grid[np.abs((x[0][None] / (1 + grid[:, None] * x[0][None])).sum(1)).argmin()]
    weights = 1 / (30 * (1 + multiplier * x[0]))
    assert weights.sum() == pytest.approx(1, abs=1e-3)
    assert signed**2 == pytest.approx(-2 * np.log(30 * weights).sum(), rel=1e-3)


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_shapes_have_mean_0_and_variance_1(name):
    x = shapes.SHAPES[name](np.random.default_rng(3), (1, 400_000))
    assert x.mean() == pytest.approx(0, abs=0.01)
    assert x.var() == pytest.approx(1, rel=0.35 if "degrees" in name else 0.1)


def test_the_area_and_its_truth():
    rng = np.random.default_rng(4)
    y = (np.arange(4000) < 1200).astype(int)
    score = y + rng.normal(size=4000) * 1.5
    by_pairs = (score[y == 1][:, None] > score[y == 0][None]).mean()
    assert shapes.area(y, score) == pytest.approx(by_pairs)
    assert shapes._truth("AUC", 1.0, 0.0) == pytest.approx(stats.norm.cdf(1 / (2 * 2.25) ** 0.5))


def test_the_dummy_changes_nothing_but_the_seed_of_the_finals(nothing):
    plain, strong, weak = (
        Arm("arm", Recipe(tuple(nothing(strength=s) for s in chosen), Setting()), 3) for chosen in ((), (1.0,), (0.5,))
    )
    assert pipeline.reseeded(plain, 2, 7) == Cell(plain, 2, 7)
    seeds = {pipeline.reseeded(arm, 2, 7).seed for arm in (plain, strong, weak)}
    assert len(seeds) == 3
    assert pipeline.reseeded(strong, 2, 7) == pipeline.reseeded(strong, 2, 7)
    h = object()
    assert nothing().activation(h, None) is h
    assert finals.Cell is Cell, "only a run of the benchmark puts it in"


def test_false_proofs_of_whole_searches_are_counted_where_the_dummy_was_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    assert pipeline.section() == ""
    one = {"mean": 0.1, "low": 0.0, "high": 0.2, "p": 0.01, "holdout": {"mean": 0.1}}
    runs = [
        {"table": "wine", "chosen": chosen, "verdict": verdict, **one}
        for chosen, verdict in (
            (["dummy"], "proved"),
            (["dummy"], "no evidence"),
            (["dropout"], "proved"),
            ([], "likely"),
        )
    ]
    record.save(pipeline.NAME, "null_0000", {"kind": "null", "rows": 1, "runs": runs})
    line = next(row for row in pipeline.section().splitlines() if row.startswith("| all"))
    assert line.startswith("| all | 4 | 2 | 1 (50.0 %, 95 % interval 1.3 to 98.7) | 0 | 1 | 1 (100.0 %")
