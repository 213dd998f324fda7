"""The benchmark of images: who is given what, the lean loop's convnet, and what is said of the figures."""

import doctest
import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import images
import images_contenders
import images_data
import images_figures
import lean
import record
from images_data import Problem
from lean_images import ConvNet, augmented

from tauten.cells import Arm
from tauten.nets.base import Pass
from tauten.nets.convnet import ConvNet as Native
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import technique
from tauten.techniques.batch_norm import BatchNorm

SMALL = Setting(width=8, depth=1, epochs=3, batch_size=64, learning_rate=0.01)


def idx(path, values):
    head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    path.write_bytes(gzip.compress(head + values.astype(np.uint8).tobytes()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    x, y = load_digits(return_X_y=True)
    path = tmp_path_factory.mktemp("sets") / "mnist"
    path.mkdir()
    for part, rows in (("train", slice(300, None)), ("t10k", slice(300))):
        idx(path / f"{part}-images-idx3-ubyte.gz", (x * 15).reshape(-1, 8, 8)[rows])
        idx(path / f"{part}-labels-idx1-ubyte.gz", y[rows])
    return path.parent


@pytest.fixture(scope="module")
def problem(folder):
    return Problem.of("mnist", folder)


def recipe(*names, setting=SMALL, **values):
    return Recipe(tuple(technique(n).from_dict(values.get(n, {})) for n in names), setting)


def test_examples_in_docstrings():
    found = doctest.testmod(images)
    assert found.attempted
    assert not found.failed


def test_the_subset_is_stratified_and_the_test_part_stays_out_of_it(folder, problem):
    x, y = load_digits(return_X_y=True)
    assert problem.X.shape == (1000, 1, 8, 8)
    shares = np.bincount(y[300:]) / len(y[300:])
    assert np.abs(np.bincount(problem.y) - 1000 * shares).max() < 1
    assert np.array_equal(problem.test_images[:, 0].reshape(300, -1), np.floor(x[:300] * 15))
    assert np.array_equal(problem.test_codes, y[:300])
    taken = {row.tobytes() for row in problem.X}
    assert not taken & {row.tobytes() for row in problem.test_images}
    assert np.array_equal(Problem.of("mnist", folder).X, problem.X)


def test_recipes_are_trained_on_all_rows_and_figured_by_hand(problem):
    arms = [Arm("chosen", recipe("batch_norm"), 3), Arm("plain", recipe(), 1)]
    correct = images_data.retrained(problem, arms, 2, Options(trials=3, precision="fp32"))
    assert {k: v.shape for k, v in correct.items()} == {"chosen": (300, 2), "plain": (300, 2)}
    told = images_data.figures(correct)
    assert told["chosen"]["seeds"] == correct["chosen"].mean(0).round(5).tolist()
    assert told["chosen"]["mean"] > 0.8
    gain = images_data.difference(correct, "chosen", "plain")
    assert gain["mean"] == pytest.approx(told["chosen"]["mean"] - told["plain"]["mean"], abs=1e-5)
    assert gain["low"] < gain["mean"] < gain["high"]


def test_the_recipe_by_hand_is_the_usual_one_and_mirrors_no_digits(problem):
    (arm,), _ = images_contenders.by_hand(problem, 0.0)
    assert arm.recipe.names == ("batch_norm", "dropout", "label_smoothing")
    assert arm.recipe.get("dropout").p == (0.0, 0.0, 0.0, 0.0, 0.0, 0.5)
    assert (arm.epochs, arm.recipe.setting.schedule, arm.recipe.setting.learning_rate) == (100, "cosine", 0.001)
    clothes = Problem("fashion", problem.X, problem.y, problem.test_images, problem.test_codes)
    (arm,), _ = images_contenders.by_hand(clothes, 0.0)
    assert arm.recipe.get("flip").p == 0.5


@pytest.mark.parametrize("norm", [False, True])
def test_the_lean_convnet_is_ours(norm):
    structure = [BatchNorm()] if norm else []
    own = recipe(*(["batch_norm"] if norm else []))
    ours, net = Native((1, 12, 10), 3, SMALL, structure), ConvNet(torch.Size((1, 12, 10)), 3, own, 0.0).eval()
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in ours.init([1]))
    layers = [name for name, _ in ours._layers]
    with torch.no_grad():
        for name, layer, normed in zip(layers, net.hidden, net.norms, strict=True):
            layer.weight.copy_(w[f"{name}.weight"])
            if norm:
                buffers[f"{name}.batch_norm.mean"].uniform_()
                normed.running_mean.copy_(buffers[f"{name}.batch_norm.mean"])
            else:
                layer.bias.copy_(w[f"{name}.bias"])
        # Ours lays the last image out with its channels last.
        h, v, c = 3, 3, 8
        net.out.weight.copy_(w["out.weight"].reshape(h, v, c, 3).permute(3, 2, 0, 1).flatten(1))
        net.out.bias.copy_(w["out.bias"])
        x = torch.randn(4, 1, 12, 10)
        want = ours.forward(w, buffers, x, Pass(structure, None))[0]
        torch.testing.assert_close(net(x), want, rtol=1e-4, atol=1e-5)


def test_lean_augmentations_move_pixels_as_the_techniques_say():
    x = torch.rand(5, 1, 9, 9)
    assert augmented(x, recipe("batch_norm")) is x
    torch.testing.assert_close(augmented(x, recipe("flip", flip={"p": 1.0})), x.flip(-1), atol=1e-5, rtol=0)
    covered = augmented(x, recipe("cutout", cutout={"share": 0.4}))
    kept = (covered == x).flatten(1).float().mean(1)
    assert ((covered == x) | (covered == 0)).all()
    assert (kept >= 1 - 16 / 81).all()
    assert (kept < 1).any()
    # A line through the centre, turned, still goes through it.
    line = torch.zeros(50, 1, 9, 9)
    line[:, :, 4] = 1
    turned = augmented(line, recipe("rotation", rotation={"degrees": 45.0}))
    torch.testing.assert_close(turned[..., 4, 4], torch.ones(50, 1), atol=1e-4, rtol=0)
    assert turned[..., 0, 0].max() > 0.2


def test_the_lean_loop_learns_images(problem):
    development = problem.development(Options(trials=3))
    fold = development.fold(development.partition("race", 0)[0])
    own = recipe("batch_norm", "rotation", "mixup", rotation={"degrees": 5.0}, mixup={"alpha": 0.1})
    *_, last = lean.train(own, fold, 0)
    assert last < 1.0


def part(data, contender, **arms):
    own = {
        name: {"seeds": [mean, mean], "mean": mean, "low": mean - 0.01, "high": mean + 0.01}
        for name, mean in arms.items()
    }
    told = (
        {
            "verdict": "proved",
            "trials": 7,
            "gain": {"mean": 0.05, "low": 0.04, "high": 0.06},
            "metric": "log_loss",
            "phases": {"race": 120.4, "total": 590.2},
        }
        if "chosen" in arms
        else {}
    )
    recipes = {name: {"epochs": 3, **recipe("rotation").to_dict()} for name in arms}
    about = {"data": data, "contender": contender, "budget": 600.0, "rows": [1000, 10000], "seconds": 601.0}
    return {**about, **told, "arms": own, "recipes": recipes}


def test_the_section_says_what_was_met_and_what_was_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    assert images_figures.section("some") == ""
    record.save("some", "mnist_tauten", part("mnist", "tauten", chosen=0.98, usual=0.94, plain=0.93))
    record.save("some", "fashion_tauten", part("fashion", "tauten", chosen=0.88, plain=0.83))
    text = images_figures.section("some")
    assert "| MNIST, 1,000 | Tauten, chosen | 98.00 (97.00 to 99.00) | 2 | 601 | 7 |" in text
    assert "| MNIST, 1,000 | plain, tuned by the same search | 93.00 (92.00 to 94.00) | 2 |  |  |" in text
    assert "at least 97.5 %: **met**, 98.00 (97.00 to 99.00); chosen over plain +5.00 (+4.00 to +6.00) points" in text
    assert "at least 88.5 %: **missed**" in text
    assert "rotation 15; learning rate 0.01, constant, 3 epochs of batches of 64. Searched for log loss" in text
    assert "verdict: proved. Of 590 s the race had 120; " in text
    assert "Not run yet: mnist_hand, mnist_optuna, fashion_hand" in text
    assert "](figures/images.svg)" in text
    first, again = tmp_path / "first.svg", tmp_path / "again.svg"
    for path in (first, again):
        images_figures.draw(path, "some")
    assert first.read_bytes() == again.read_bytes()
    record.save("some", "mnist_tauten", part("mnist", "tauten", chosen=0.97, usual=0.94, plain=0.93))
    images_figures.draw(again, "some")
    assert first.read_bytes() != again.read_bytes()


def test_the_long_part_is_run_only_where_it_is_named():
    assert not any(name.startswith("full") for name in images.parts("mnist,fashion"))
    assert images.parts("full_tauten")[-3:] == ["full_tauten", "full_hand", "full_optuna"]
