"""The dropout experiment on small IDX files: its arithmetic, its resumption, its words."""

import copy
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits

from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.errors import DataError, OptionError, RunError
from tauten.evidence import compare, interval
from tauten.experiments import experiments
from tauten.experiments.arms import ARMS
from tauten.experiments.problem import cells, load_problem
from tauten.experiments.rows import Row, reading, table
from tauten.member import Member, Source
from tauten.population import Population

run = experiments()["dropout-mnist"]
TRAIN, TEST = 126, 70
Done = tuple[Path, dict[str, Any], list[str]]


def silent(line: str) -> None:
    """Hears nothing."""


def write_idx(path: Path, values: np.ndarray) -> None:
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as an IDX set."""
    x, y = load_digits(return_X_y=True)
    images, labels = (x.reshape(-1, 8, 8) * 15).astype(np.uint8), y.astype(np.uint8)
    made = tmp_path_factory.mktemp("idx")
    for part, rows in (("train", slice(0, TRAIN)), ("t10k", slice(TRAIN, TRAIN + TEST))):
        write_idx(made / f"{part}-images-idx3-ubyte", images[rows])
        write_idx(made / f"{part}-labels-idx1-ubyte", labels[rows])
    return made


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A finished run of two seeds: where, what it returned and what it said."""
    out, said = tmp_path_factory.mktemp("out"), list[str]()
    return out, run(out, 2, folder, 1, said.append), said


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """A result without its times."""
    left = copy.deepcopy(result)
    del left["seconds"]
    for found in left["rows"]:
        del found["seconds"]
    for cell in left["cells"]:
        for part in cell["seeds"]:
            del part["wall_seconds"]
    return left


def part_of(result: dict[str, Any], protocol: str, n: int, seed: int) -> dict[str, Any]:
    cell = next(c for c in result["cells"] if (c["protocol"], c["n"]) == (protocol, n))
    found: dict[str, Any] = cell["seeds"][seed]
    return found


def scores_alone(folder: Path, fit: slice, arm: str, seed: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Test errors and log losses of one member trained by itself, worked out with NumPy."""
    problem = load_problem(folder, folder, silent)
    source = Source(problem.inputs, problem.targets, torch.arange(len(problem.inputs))[fit], "classification")
    with Population(Builder(source), [source]) as population:
        population.enter([Member(0, ARMS[arm], derive_seed("dropout-mnist", seed), epochs=epochs)])
        outputs = population.complete({0: problem.test})[0].outputs
    assert outputs is not None
    out = outputs.double().numpy()
    labels = problem.targets[problem.test].numpy().argmax(1)
    log_p = out - np.log(np.exp(out).sum(1, keepdims=True))
    return (out.argmax(1) != labels).astype(float), -log_p[np.arange(len(labels)), labels]


@pytest.mark.parametrize(
    ("protocol", "n", "fit", "epochs"),
    [("usual", 126, slice(0, 126), 5), ("honest", 126, slice(0, 105), 30), ("honest", 21, slice(0, 18), 5)],
)
def test_the_table_agrees_with_members_trained_alone(
    folder: Path, done: Done, protocol: str, n: int, fit: slice, epochs: int
) -> None:
    out, result, _ = done
    alone = {arm: [scores_alone(folder, fit, arm, seed, epochs) for seed in (0, 1)] for arm in ARMS}
    error, loss = ({arm: np.stack([s[i] for s in seeds], 1) for arm, seeds in alone.items()} for i in (0, 1))
    found = next(r for r in result["rows"] if (r["protocol"], r["n"], r["epochs"]) == (protocol, n, epochs))
    assert found["seeds"] == 2
    for arm in ARMS:
        assert found["arms"][arm]["error"]["mean"] == error[arm].mean()
        assert found["arms"][arm]["log_loss"]["mean"] == pytest.approx(loss[arm].mean(), rel=1e-6)
        for seed in (0, 1):
            tested = part_of(result, protocol, n, seed)["tested"][str(epochs)][arm]
            assert tested["error"] == error[arm][:, seed].mean()
    gain = compare(error["plain"], error["dropout"])
    assert found["gain"]["error"] == gain.to_json()
    line = next(
        line
        for line in (out / "table.md").read_text().splitlines()
        if line.startswith(f"| {protocol} | {n} | {epochs}")
    )
    shown = f"{gain.mean * 100:+.2f} [{gain.low * 100:+.2f}, {gain.high * 100:+.2f}]"
    assert line.split(" | ")[3:7] == [
        "2", f"{error['plain'].mean() * 100:.2f}", f"{error['dropout'].mean() * 100:.2f}", shown,
    ]  # fmt: skip


def test_one_seed_gives_the_paired_t_interval_and_another_joins_it(folder: Path, done: Done, tmp_path: Path) -> None:
    found = run(tmp_path, 1, folder, 1, silent)["rows"][-1]
    with np.load(tmp_path / "parts" / "honest-126-seed0-epoch30.npz") as held:
        difference = held["plain_log_loss"].astype(float) - held["dropout_log_loss"].astype(float)
    low, high = stats.t.interval(0.95, TEST - 1, difference.mean(), stats.sem(difference))
    assert found["gain"]["log_loss"]["low"] == pytest.approx(low)
    # A few rows gain much, so upwards Hall's correction (1992) reaches further than t does.
    skewness = stats.skew(difference) / TEST**0.5 * (1 - 1 / TEST) ** 1.5
    t = (difference.mean() - found["gain"]["log_loss"]["high"]) / stats.sem(difference)
    assert ((1 + skewness * t / 3) ** 3 - 1) / skewness + skewness / 6 == pytest.approx(stats.t.ppf(0.025, TEST - 1))
    assert found["gain"]["log_loss"]["high"] > high
    assert "one seed" in found["gain"]["log_loss"]["note"]
    assert timeless(run(tmp_path, 2, folder, 1, silent)) == timeless(done[1])


def test_gap_and_seconds_are_what_the_page_says(done: Done) -> None:
    result = done[1]
    found = next(r for r in result["rows"] if (r["protocol"], r["n"], r["epochs"]) == ("honest", 126, 5))
    for arm in ARMS:
        curves = [part_of(result, "honest", 126, seed)["curves"][arm] for seed in (0, 1)]
        gaps = [c["validation_log_loss"][4] - c["train_log_loss"][4] for c in curves]
        assert found["gap"][arm]["log_loss"] == pytest.approx(sum(gaps) / 2)
        # 105 rows in batches of 32 are 4 steps, 20 in 5 epochs.
        ms = result["seconds"]["alone_on_one_thread"][arm]["ms_per_step"]
        assert found["seconds"][arm] == pytest.approx(20 * ms / 1e3)


def test_protocols_use_the_rows_they_claim(folder: Path, done: Done) -> None:
    sizes = [(c["protocol"], c["n"], c["n_fit"], c["n_validation"], c["n_test"]) for c in done[1]["cells"]]
    assert sizes == [
        ("usual", 21, 21, 70, 70), ("honest", 21, 18, 3, 70), ("usual", 126, 126, 70, 70), ("honest", 126, 105, 21, 70),
    ]  # fmt: skip
    problem = load_problem(folder, folder, silent)
    for cell in cells(problem):
        held_back = set(cell.validation.tolist()) | set(problem.test.tolist())
        assert not held_back & set(cell.fit.tolist())
        if cell.protocol == "honest":
            assert not set(cell.validation.tolist()) & set(problem.test.tolist())
    part = part_of(done[1], "usual", 126, 0)
    for arm in ARMS:
        assert part["curves"][arm]["validation_error"][29] == part["tested"]["30"][arm]["error"]
        assert all(len(values) == 30 for values in part["curves"][arm].values())


def test_pixels_are_divided_by_255(folder: Path) -> None:
    problem = load_problem(folder, folder, silent)
    assert float(problem.inputs.max()) == np.float32(240) / np.float32(255)
    assert problem.inputs.shape == (TRAIN + TEST, 64)


@pytest.mark.parametrize("lost", ["usual-21-seed1.json", "honest-126-seed0.json", "usual-126-seed1-epoch5.npz"])
def test_an_interrupted_run_goes_on_to_the_same_result(folder: Path, done: Done, tmp_path: Path, lost: str) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for path in (done[0] / "parts").iterdir():
        if path.name != lost:
            (parts / path.name).write_bytes(path.read_bytes())
    said: list[str] = []
    # The seed is trained alone now, on another number of threads, and its figures must not change.
    result = run(tmp_path, 2, folder, 2, said.append)
    assert timeless(result) == timeless(done[1])
    assert timeless(json.loads((tmp_path / "result.json").read_text())) == timeless(done[1])
    assert sum("epoch 30 of 30" in line for line in said) == 1
    assert (tmp_path / "curves.png").read_bytes() == (done[0] / "curves.png").read_bytes()


def test_a_finished_run_is_read_back(folder: Path, done: Done) -> None:
    said: list[str] = []
    assert timeless(run(done[0], 2, folder, 1, said.append)) == timeless(done[1])
    assert not any("epoch" in line and " of " in line and "seeds" in line for line in said[:-1])


def test_parts_of_other_data_are_refused(folder: Path, done: Done, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x00")
    with pytest.raises(RunError, match="belongs to other data or recipes: expected an empty folder"):
        run(done[0], 2, tmp_path, 1, silent)


def test_a_damaged_part_is_named(folder: Path, done: Done, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "usual-21-seed0.json").write_text("{")
    with pytest.raises(RunError, match=r"usual-21-seed0\.json can't be read .* delete it"):
        run(tmp_path, 2, folder, 1, silent)


def test_only_the_out_folder_is_written(done: Done) -> None:
    names = {path.name for path in done[0].iterdir()}
    assert names == {"result.json", "table.md", "curves.png", "curves-honest.png", "report.html", "parts"}
    assert (done[0] / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert not [path.name for path in (done[0] / "parts").iterdir() if path.suffix == ".tmp"]


def test_without_data_and_network_the_digits_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 9, so the download fails at once, wherever the test runs.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    said: list[str] = []
    problem = load_problem(None, tmp_path / "download", said.append)
    assert problem.inputs.shape == (1797, 64)
    assert float(problem.inputs.max()) == 1.0
    assert [cell.name for cell in cells(problem)] == ["usual-239", "honest-239", "usual-1437", "honest-1437"]
    assert problem.note.startswith("not MNIST, from scikit-learn's bundled digits")
    assert said == ["MNIST can't be fetched (URLError); the bundled digits stand in for it"]


@pytest.mark.parametrize(("seeds", "threads", "name"), [(0, 1, "seeds is 0"), (2, 0, "threads is 0")])
def test_numbers_below_their_bounds_are_refused(
    folder: Path, tmp_path: Path, seeds: int, threads: int, name: str
) -> None:
    with pytest.raises(OptionError, match=f"{name}: expected a whole number from 1 up"):
        run(tmp_path / "new", seeds, folder, threads, silent)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_too_few_rows_is_refused(tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((59, 2, 2), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.zeros(59, np.uint8))
    with pytest.raises(DataError, match="59 training and 59 test rows: expected at least 60 of each"):
        run(tmp_path / "out", 2, tmp_path, 1, silent)


def made_row(protocol: str, n: int, epochs: int, seeds: int, plain: Sequence[float], dropout: Sequence[float]) -> Row:
    """A row of hand-written errors, one number an example, the same for every seed."""
    scores = {"plain": np.tile(plain, (seeds, 1)).T, "dropout": np.tile(dropout, (seeds, 1)).T}
    names = ("error", "log_loss")
    return Row(
        protocol=protocol,
        n=n,
        epochs=epochs,
        seeds=seeds,
        arms={arm: {name: interval(values) for name in names} for arm, values in scores.items()},
        gain={name: compare(scores["plain"], scores["dropout"]) for name in names},
        verdict=dict.fromkeys(names, "no evidence"),
        gap={arm: dict.fromkeys(names, 0.25) for arm in scores},
        seconds={"plain": 1.0, "dropout": 2.0},
    )


def test_the_reading_says_what_the_intervals_say() -> None:
    good, bad, mixed = [1.0] * 40 + [0.0] * 60, [0.0] * 100, [1.0, 0.0] * 50
    rows = [
        made_row("usual", 60_000, 5, 10, mixed, mixed),
        made_row("honest", 60_000, 5, 10, good, bad),
        made_row("usual", 60_000, 30, 4, good, bad),
        made_row("honest", 60_000, 30, 4, good, bad),
        made_row("usual", 1_000, 30, 10, bad, good),
    ]
    sentence = reading(rows)
    assert (
        "on 60,000 rows after 5 epochs (10 seeds) dropout makes no difference beyond chance to the test error "
        "(50.00 % plain, 50.00 % dropout, gain +0.00 points, +0.00 to +0.00) and makes no difference "
        "beyond chance to the log loss (gain +0.0000" in sentence
    )
    assert (
        "after 30 epochs (4 seeds) dropout lowers the test error (40.00 % plain, 0.00 % dropout, gain +40" in sentence
    )
    assert "on 1,000 rows after 30 epochs (10 seeds) dropout raises the test error" in sentence
    assert "answers otherwise for the test error on 60,000 rows after 5 epochs (gain +40.00 points" in sentence
    assert "rows after 30 epochs (gain" not in sentence
    assert "gives the same answers" in reading(rows[2:4])
    assert sentence.count(". ") == 0
    assert "rows with 4 instead of 10 seeds have fewer" in table(rows, "note")
    assert "instead of" not in table(rows[:2], "note")
