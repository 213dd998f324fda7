"""What all replayed claims have in common: files, refusals, and documents that hold what the figures say."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy import stats
from sklearn.datasets import load_digits

import tauten
from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.engines.block import Completed
from tauten.errors import DataError, OptionError
from tauten.evidence import compare
from tauten.experiments import claim as claims
from tauten.experiments import experiments
from tauten.experiments.claim import TELLERS, Run, Told, claim, text_of
from tauten.experiments.members import gain, images, outputs, over_seeds, scores, trained
from tauten.member import Member, Source
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting

ROOT = Path(__file__).parents[2]
KNOWN = experiments()
DONE = sorted(name for name in TELLERS if (ROOT / "benchmarks" / "figures" / f"{name}.json").is_file())
SETTING = Setting(width=8, depth=1, epochs=2, batch_size=16)


def silent(line: str) -> None:
    """Hears nothing."""


RUN = Run(3, None, 1, silent)


def write_idx(path: Path, values: np.ndarray) -> None:
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Digits as an IDX set, the last ones first, so that they differ from the bundled order."""
    x, y = load_digits(return_X_y=True)
    pictures, labels = (x.reshape(-1, 8, 8)[::-1] * 15).astype(np.uint8), y[::-1].astype(np.uint8)
    for part, rows in (("train", slice(0, 120)), ("t10k", slice(120, 200))):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", pictures[rows])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels[rows])
    return tmp_path


@pytest.mark.parametrize("name", DONE)
def test_the_document_says_what_the_figures_say(name: str) -> None:
    figures = json.loads((ROOT / "benchmarks" / "figures" / f"{name}.json").read_text(encoding="utf-8"))
    document = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert text_of(figures, TELLERS[name](figures)) in document, f"run: tauten experiment {name}, and take its table.md"
    assert f"(figures/{name}.svg)" in document
    assert f"(../benchmarks/figures/{name}.json)" in document
    assert f"    tauten experiment {name} " in document
    assert figures["seeds"] >= 5


def test_a_claim_writes_its_files_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tauten.experiments, "_REGISTRY", {})
    monkeypatch.setattr(claims, "TELLERS", {})

    def tell(figures: dict) -> Told:
        figure = Figure()
        figure.subplots().plot([0, figures["x"]])
        return Told(("a", "b"), [("1", f"{figures['x']}")], "How.", f"Seen: {figures['x']}.", figure)

    @claim("made-up", source="nobody", says="two is more than one", tell=tell)
    def measure(run: Run, *, x: int = 2) -> dict:
        """Nothing at all."""
        return {"x": x * run.seeds}

    said: list[str] = []
    found = measure(tmp_path / "new", 3, None, 1, said.append, x=5)
    assert found["x"] == 15
    assert said == ["Seen: 15."]
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"result.json", "table.md", "made-up.svg", "report.html"}
    result = json.loads((tmp_path / "new" / "result.json").read_text())
    assert (result["experiment"], result["source"], result["seeds"], result["x"]) == ("made-up", "nobody", 3, 15)
    text = (tmp_path / "new" / "table.md").read_text()
    said = "The claim: two is more than one (nobody)."
    assert text == f"{said}\n\n| a | b |\n|---|---|\n| 1 | 15 |\n\nHow.\n\nSeen: 15.\n"
    assert "data:image/svg+xml;base64," in (tmp_path / "new" / "report.html").read_text()
    before = (tmp_path / "new" / "made-up.svg").read_bytes()
    measure(tmp_path / "new", 3, None, 1, silent, x=5)
    assert (tmp_path / "new" / "made-up.svg").read_bytes() == before
    assert measure.__doc__ == "Nothing at all."


@pytest.mark.parametrize(("seeds", "threads", "name"), [(2, 1, "seeds is 2"), (3, 0, "threads is 0")])
@pytest.mark.parametrize("claimed", sorted(TELLERS))
def test_numbers_below_their_bounds_are_refused(
    tmp_path: Path, claimed: str, seeds: int, threads: int, name: str
) -> None:
    with pytest.raises(OptionError, match=f"{name}: expected a whole number from"):
        KNOWN[claimed](tmp_path / "new", seeds, None, threads, silent)
    assert not (tmp_path / "new").exists()


def test_the_parts_of_the_data_share_no_row_and_a_folder_takes_its_place(folder: Path) -> None:
    data = images(None, 100, 50, 60)
    rows = torch.cat([data.train, data.validation, data.test]).tolist()
    assert len(set(rows)) == 210
    assert data.note == "scikit-learn's bundled digits, 8 × 8 pixels; of its rows, 100 train, 50 choose, 60 judge"
    assert [len(data.train), len(data.validation), len(data.test)] == [100, 50, 60]
    assert images(None, 100, 50, 60).train.tolist() == data.train.tolist()
    other = images(folder, 100, 50, 50)
    assert other.inputs.shape == (200, 64)
    assert "IDX files" in other.note
    with pytest.raises(DataError, match="the data has 200 rows: expected at least 201"):
        images(folder, 100, 50, 51)


def test_wrong_labels_are_wrong_and_only_on_training_rows() -> None:
    data = images(None, 200, 100, 100)
    unlike = (data.mislabelled(0.2).targets.argmax(1) != data.targets.argmax(1)).nonzero()[:, 0].tolist()
    assert len(unlike) == 40
    assert set(unlike) <= set(data.train.tolist())
    assert torch.equal(data.mislabelled(0.0).targets, data.targets)


def test_members_of_one_population_are_those_trained_alone() -> None:
    data = images(None, 60, 20, 30)
    recipes = {rate: Recipe((), SETTING).with_setting(learning_rate=rate) for rate in (0.001, 0.01)}
    done = trained(RUN, "made-up", recipes, [data.source, data.mislabelled(0.5)], data.test, of=lambda _, s: s % 2)
    source: Source = data.mislabelled(0.5)
    with Population(Builder(source), [source]) as population:
        population.enter([Member(0, recipes[0.01], derive_seed("made-up", 1), epochs=2)])
        alone = population.complete({0: data.test})[0].outputs
    assert alone is not None
    assert torch.equal(outputs(done[0.01])[1], alone)
    assert not torch.equal(outputs(done[0.01])[0], alone)


def test_what_diverged_is_a_uniform_guess() -> None:
    out = outputs([Completed(torch.tensor([[0.0, float("nan")], [3.0, 1.0]]), None)] * 2)
    found = scores(out, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert found["log_loss"].shape == (2, 2)
    assert found["log_loss"][0].tolist() == pytest.approx([np.log(2)] * 2)


def test_intervals_are_those_of_evidence_and_student() -> None:
    random = np.random.default_rng(0)
    a, b = random.random((60, 4)), random.random((60, 4))
    found, wanted = gain(a, b), compare(a, b)
    assert found == {"mean": wanted.mean, "low": wanted.low, "high": wanted.high}
    low, high = stats.t.interval(0.95, 3, a[0].mean(), stats.sem(a[0]))
    assert over_seeds(a[0]) == pytest.approx({"mean": a[0].mean(), "low": low, "high": high})
