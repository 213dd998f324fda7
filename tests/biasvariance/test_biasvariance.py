"""Bias and variance measured on networks: ridge's closed form, real tables, what is refused, what is written."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_wine
from torch import nn
from typer.testing import CliRunner

import tauten
from tauten import cli
from tauten.biasvariance.resamples import halves
from tauten.biasvariance.strengths import strength_of
from tauten.data import Layout, Preprocessor, as_frame, from_arrays
from tauten.errors import DataError, OptionError, RecipeError, UsageError
from tauten.options import Options
from tauten.result import versions

LINEAR = {"depth": 0, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.2, "batch_size": 40, "epochs": 300}
SMALL = {"epochs": 4, "width": 16, "depth": 1}
NOISE = 1.5


def truth(x):
    return 3 + x @ np.array([2.0, -1.0, 0.5, 0.0, 1.0])


def analytic(x, test, strength):
    """Bias² and variance of ridge with a free intercept and penalty n λ on the inputs as the network sees them."""
    preprocessor = Preprocessor.fit(as_frame(x), Layout.of(as_frame(x)))
    z, at = (preprocessor.transform(as_frame(part)).astype(np.float64) for part in (x, test))
    n, mean = len(z), z.mean(0)
    z, at = z - mean, at - mean
    smoother = 1 / n + at @ np.linalg.solve(z.T @ z + n * strength * np.eye(z.shape[1]), z.T)
    bias = smoother @ truth(x) - truth(test)
    return (bias**2).mean(), NOISE**2 * (smoother**2).sum(1).mean()


def test_ridge_recovers_its_analytic_bias_variance_and_noise():
    random = np.random.default_rng(0)
    x, test = random.normal(size=(40, 5)), random.normal(size=(200, 5))
    found = tauten.bias_variance(
        x, technique="l2", values=[0, 0.1, 1.0], truth=truth, noise=NOISE, test=test, replicates=80, setting=LINEAR,
        threads=1,
    )  # fmt: skip
    parts = found.losses["squared error"]
    for strength, own in zip(found.strength.values, parts, strict=True):
        bias, variance = analytic(x, test, strength)
        for true, got in ((bias, own.bias), (variance, own.variance)):
            room = 1.5 * (got.high - got.low) / 2  # about three standard errors
            assert abs(got.mean - true) < room, (strength, true, got)
        assert own.noise == pytest.approx(NOISE**2)
        assert own.bias.mean + own.variance.mean + own.noise == pytest.approx(own.error.mean)
    weak, _, strong = parts
    assert abs(weak.bias.mean) < 0.1 < 1 < strong.bias.mean
    assert strong.variance.high < weak.variance.low


def test_noise_may_differ_from_row_to_row():
    random = np.random.default_rng(1)
    x = random.normal(size=(60, 3))

    def deviation(at):
        return 0.5 + np.abs(at[:, 0])

    found = tauten.bias_variance(
        x, technique="dropout", values=[0.3], truth=lambda at: np.sin(2 * at[:, 0]), noise=deviation, replicates=10,
        setting=SMALL, threads=1,
    )  # fmt: skip
    (own,) = found.losses["squared error"]
    assert own.noise == pytest.approx((deviation(x) ** 2).mean())
    assert own.error.mean == pytest.approx(own.bias.mean + own.variance.mean + own.noise)


def test_true_probabilities_give_all_three_parts_of_the_log_loss():
    x = np.random.default_rng(2).normal(size=(80, 2))

    def probabilities(at):
        p = 1 / (1 + np.exp(-2 * at[:, 0]))
        return np.column_stack([p, 1 - p])

    found = tauten.bias_variance(
        x, technique="l2", values=[0, 3.0], truth=probabilities, replicates=8, setting=SMALL | {"epochs": 40}, threads=1
    )
    p = probabilities(x)
    weak, strong = found.losses["log loss"]
    assert weak.noise == pytest.approx(-(p * np.log(p)).sum(1).mean())
    assert found.losses["Brier score"][0].noise == pytest.approx((p * (1 - p)).sum(1).mean())
    assert strong.bias.low > weak.bias.high, "a strong penalty pulls every prediction to the base rate"
    assert strong.variance.high < weak.variance.low


def test_on_a_table_every_row_is_predicted_by_networks_that_did_not_see_it():
    """Labels without any meaning: a network that had seen its rows would beat guessing."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=(60, 20)), random.permutation(np.arange(60) % 2)
    found = tauten.bias_variance(
        x, y, technique="dropout", values=[0.0], replicates=6, setting={"epochs": 30, "width": 32}, threads=1
    )
    (own,) = found.losses["log loss"]
    assert own.error.mean > np.log(2)
    assert (own.n_rows, own.n_models, own.bias, own.noise) == (60, 6, None, None)
    assert own.error.mean == pytest.approx(own.bias_and_noise.mean + own.variance.mean)


def test_groups_stay_whole_so_nobody_is_known_from_training():
    """Rows of a person share a label that the columns name: only networks that saw the person can know it."""
    random = np.random.default_rng(4)
    person = np.repeat(np.arange(30), 4)
    measured = {f"x{i}": random.normal(size=30)[person] + 0.05 * random.normal(size=120) for i in range(8)}
    frame = pd.DataFrame(measured | {"person": person})
    labels = random.permutation(np.arange(30) % 2)[person]
    asked = {"technique": "dropout", "values": [0.0], "replicates": 4, "setting": {"epochs": 60, "width": 64}}
    apart = tauten.bias_variance(frame, labels, groups="person", threads=1, **asked).losses["log loss"][0]
    mixed = tauten.bias_variance(frame, labels, drop="person", threads=1, **asked).losses["log loss"][0]
    assert mixed.error.mean < 0.6 < np.log(2) < apart.error.mean


def test_a_row_of_weight_three_is_scored_as_three_such_rows():
    wine = load_wine()
    times = np.random.default_rng(5).integers(0, 4, size=len(wine.target))
    asked = {"technique": "dropout", "values": [0.3], "replicates": 3, "setting": SMALL, "threads": 1}
    own = tauten.bias_variance(wine.data, wine.target, sample_weight=times, **asked)
    frame = pd.DataFrame(wine.data).assign(kind=wine.target, times=times)
    assert tauten.bias_variance(frame, target="kind", weight="times", **asked).losses == own.losses
    table = from_arrays(wine.data, wine.target, sample_weight=times)
    options = Options(trials=3, threads=1, setting=SMALL, precision="fp32")
    recipes = own.strength.recipes(options.setting_for(len(times) // 2))
    scored = halves(table, lambda *_: recipes, None, 3, options, lambda _: None)
    log_p, at = scored.outputs[0].astype(np.float64), np.repeat(np.arange(len(times)), times)
    want = -log_p[:, at, wine.target[at]].mean()
    assert own.losses["log loss"][0].error.mean == pytest.approx(want)
    p = np.exp(log_p)[:, at]
    assert own.losses["Brier score"][0].variance.mean == pytest.approx(p.var(0, ddof=1).sum(-1).mean())


AUGMENT = """
def rain(strength):
    return lambda images: images.flip(-1) if strength > 0.5 else images
"""


def test_augmentations_of_images_are_measured_those_of_ones_own_too(tmp_path):
    file = tmp_path / "my_aug.py"
    file.write_text(AUGMENT)
    digits = load_digits()
    X, y = digits.images[:120, None], digits.target[:120]
    asked = {"replicates": 3, "setting": {**SMALL, "net": "mlp"}, "threads": 1}
    own = tauten.bias_variance(X, y, technique="rain", values=[0, 0.2, 0.9], augment=f"{file}:rain", **asked)
    variances = [found.variance.mean for found in own.losses["log loss"]]
    # At 0.2 it hands the images back, which is plain training by another way round.
    assert variances[1] == pytest.approx(variances[0], rel=1e-3)
    assert variances[2] != pytest.approx(variances[0], rel=1e-3)
    turned = tauten.bias_variance(X, y, technique="rotation", values=[0, 90], **asked)
    variances += [found.variance.mean for found in turned.losses["log loss"]]
    assert variances[3] == pytest.approx(variances[0], rel=1e-3)
    assert variances[4] != pytest.approx(variances[0], rel=1e-3)
    with pytest.raises(RecipeError, match="rain"):
        tauten.bias_variance("wine", technique="rain", values=[0.9], replicates=3, setting=SMALL)


def test_what_was_guessed_of_a_file_is_told(tmp_path):
    load_wine(as_frame=True).frame.rename(columns={"target": "kind"}).to_csv(tmp_path / "wine.csv", index=False)
    found = tauten.bias_variance(
        tmp_path / "wine.csv", technique="dropout", values=[0.1], replicates=3, setting=SMALL, threads=1
    )
    assert "note: no target column was named: took 'kind'" in found.table()
    assert found.to_json()["warnings"] == list(found.warnings)


def test_a_row_of_weight_nought_teaches_nothing():
    """Half of the labels say the opposite: together they say nothing, without them all is plain."""
    x = np.random.default_rng(6).normal(size=(200, 2))
    right, wrong = (x[:, 0] > 0).astype(int), np.arange(200) % 2
    asked = {"technique": "dropout", "values": [0.0], "replicates": 3, "threads": 1}
    asked["setting"] = {"epochs": 40, "width": 16, "depth": 1, "learning_rate": 0.01}
    both, one = (
        tauten.bias_variance(x, np.where(wrong, 1 - right, right), sample_weight=weights, **asked)
        for weights in (None, 1 - wrong)
    )
    assert one.losses["log loss"][0].error.mean < 0.4 < 0.6 < both.losses["log loss"][0].error.mean


def test_one_seed_gives_the_same_figures_whatever_the_threads_and_the_company():
    table = load_wine()
    asked = {"technique": "l2", "replicates": 3, "setting": SMALL}
    both = tauten.bias_variance(table.data, table.target, values="0:0.1:2", threads=2, **asked)
    alone = tauten.bias_variance(table.data, table.target, values=[0.1], threads=1, **asked)
    assert both.losses["log loss"][1] == alone.losses["log loss"][0]
    other = tauten.bias_variance(table.data, table.target, values=[0.1], threads=1, seed=1, **asked)
    assert other.losses["log loss"] != alone.losses["log loss"]


def test_a_module_of_ones_own_and_a_training_that_diverges(tmp_path):
    def build():
        return nn.Sequential(nn.Linear(13, 8), nn.ReLU(), nn.Linear(8, 3))

    found = tauten.bias_variance(
        "wine", technique="dropout", values=[0.2], replicates=3, model=build, setting={"epochs": 2}, threads=1
    )
    assert found.losses["log loss"][0].n_models == 3
    sick = {"epochs": 3, "optimizer": "sgd", "learning_rate": 50.0}
    lost = tauten.bias_variance("diabetes", technique="l2", values=[10.0], replicates=3, setting=sick, threads=1)
    assert lost.losses["squared error"] == (None,)
    assert "diverged" in lost.table()
    lost.save(tmp_path / "lost")
    assert lost.to_json()["losses"]["squared error"] == [{"value": 10.0, "diverged": True}]


def test_what_is_written_holds_the_raw_figures(tmp_path):
    found = tauten.bias_variance("wine", technique="dropout", values="0:0.4:2", replicates=3, setting=SMALL, threads=1)
    found.save(tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"bias-variance.json", "bias-variance.png", "report.html"}
    figures = json.loads((tmp_path / "out" / "bias-variance.json").read_text())
    assert figures["hyperparameter"] == "dropout.p"
    assert figures["versions"] == versions()
    assert [own["value"] for own in figures["losses"]["Brier score"]] == [0.0, 0.4]
    first = found.losses["log loss"][0]
    assert figures["losses"]["log loss"][0]["variance"]["mean"] == first.variance.mean
    assert (tmp_path / "out" / "bias-variance.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"{first.variance.mean:.4g}" in page
    assert "data:image/png;base64," in page


def test_values_are_spaced_as_the_hyperparameter_is_declared():
    assert strength_of("dropout.p", "0:0.8:9").values == (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    assert strength_of("l2", "1e-4:1:5").values == (1e-4, 1e-3, 1e-2, 1e-1, 1)
    assert strength_of("l2", "0:1:3").values == (0, 0.5, 1)
    assert strength_of("l2", "0, 0.5").values == (0, 0.5)


@pytest.mark.parametrize(
    ("name", "values", "error", "says"),
    [
        ("dropuot", "0:1:3", RecipeError, "did you mean"),
        ("dropout.q", "0:1:3", OptionError, "no number 'q'"),
        ("dropout", "0:2:3", RecipeError, "dropout.p is"),
        ("dropout", "0:0.8", OptionError, "FROM:TO:COUNT"),
        ("dropout", "0.8:0:9", OptionError, "FROM:TO:COUNT"),
        ("dropout", "0:0.8:1", OptionError, "FROM:TO:COUNT"),
        ("dropout", "a,b", OptionError, "FROM:TO:COUNT"),
        ("dropout", [], OptionError, "empty"),
        ("early_stopping", "1,2", OptionError, "how long to train"),
        ("batch_norm", "1,2", OptionError, "numbers that switch it off"),
    ],
)
def test_a_strength_that_can_not_be_is_refused(name, values, error, says):
    with pytest.raises(error, match=says):
        strength_of(name, values)


X = np.eye(12)


@pytest.mark.parametrize(
    ("source", "asked", "error", "says"),
    [
        ("wine", {"replicates": 2}, OptionError, "at least 3"),
        ("wine", {"noise": 1.0}, OptionError, "noise was given without truth"),
        ("wine", {"test": X}, OptionError, "test was given without truth"),
        ("wine", {"time": "ash"}, OptionError, "no option 'time'"),
        ("diabetes", {"technique": "label_smoothing"}, RecipeError, "is for classification"),
        (X, {"truth": lambda x: x[:, 0], "y": np.ones(12)}, OptionError, "beside truth"),
        (X, {"truth": lambda x: x[:, 0], "sample_weight": np.ones(12)}, OptionError, "sample_weight or columns"),
        (X, {"truth": lambda x: x[:, 0]}, OptionError, "without noise"),
        (X, {"truth": lambda x: x[:, 0], "noise": -1.0}, OptionError, "0 or more"),
        (X, {"truth": lambda x: x[:3, 0], "noise": 1.0}, OptionError, "for 12 rows"),
        (X, {"truth": lambda x: x[:, :2]}, OptionError, "no probabilities"),
        (X, {"truth": lambda x: np.full((12, 2), 0.5), "noise": 1.0}, OptionError, "leave it out"),
        ([["a"]], {"truth": lambda x: x[:, 0], "noise": 1.0}, DataError, "finite numbers"),
    ],
)
def test_what_can_not_be_measured_is_refused_before_training(source, asked, error, says):
    with pytest.raises(error, match=says):
        tauten.bias_variance(source, **{"technique": "dropout", "values": [0.1], "setting": SMALL, **asked})


def test_the_command_prints_one_table_and_writes_where_asked(tmp_path):
    asked = ["bias-variance", "wine", "--technique", "dropout", "--values", "0:0.4:3", "--replicates", "3"]
    small = ["--epochs", "2", "--width", "8", "--threads", "1", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.app, [*asked, *small])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("|---") == 4
    assert "note:" not in done.stdout
    assert len([line for line in done.stdout.splitlines() if line.startswith("| 0")]) == 3
    figures = json.loads((tmp_path / "out" / "bias-variance.json").read_text())
    assert figures["losses"]["log loss"][0]["n_models"] == 3
    again = CliRunner().invoke(cli.app, [*asked, *small])
    assert isinstance(again.exception, UsageError)
