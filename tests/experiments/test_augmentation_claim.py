"""Augmentation against dropout: images stay images, arms hold what their names say, sentences follow the figures."""

import copy
import dataclasses
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits

from tauten.errors import DataError
from tauten.experiments import experiments
from tauten.experiments.augmentation import ARMS, reading, recipe_of, squared, tell
from tauten.experiments.claim import Run
from tauten.experiments.members import images, outputs, trained


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = experiments()["augmentation"]
    size = {"lengths": (2, 60), "width": 128, "train": 150, "test": 120}
    return run(tmp_path_factory.mktemp("out"), 3, None, 1, silent, **size)


def test_rows_become_the_images_that_they_were() -> None:
    data = squared(images(None, 20, 0, 10))
    assert torch.equal(data.inputs[:, 0], torch.from_numpy(load_digits().images / 16).float())
    with pytest.raises(DataError, match="the images have 6 pixels: expected square ones"):
        squared(dataclasses.replace(data, inputs=torch.zeros(30, 6)))


def test_without_techniques_an_image_trains_as_its_flat_row() -> None:
    flat, run = images(None, 100, 0, 40), Run(3, None, 1, silent)
    recipes = {"plain": recipe_of("plain", 3, 32)}
    one, other = (
        outputs(trained(run, "made-up", recipes, [data.source], data.test)["plain"]) for data in (flat, squared(flat))
    )
    assert torch.equal(one, other)


def test_arms_hold_what_their_names_say() -> None:
    names = {arm: set(recipe_of(arm, 5, 32).names) for arm in ARMS}
    moves = {"rotation", "shift", "zoom", "shear"}
    assert names == {
        "plain": set(), "dropout 0.2": {"dropout"}, "dropout 0.5": {"dropout"}, "affine": moves,
        "affine, dropout 0.2": moves | {"dropout"}, "turned any way": {"rotation"},
    }  # fmt: skip
    for arm in ("dropout 0.2", "dropout 0.5", "affine, dropout 0.2"):
        rate = next(t for t in recipe_of(arm, 5, 32).techniques if t.name == "dropout").to_dict()["p"]
        assert arm.endswith(f"dropout {rate:g}")


def test_gains_are_between_the_arms(figures: dict[str, Any]) -> None:
    arms = figures["arms"]
    assert figures["epochs"] == [2, 60]
    for one in figures["gains"]:
        for score in ("error", "log_loss"):
            ends = [arms[one[key]][-1][score]["mean"] for key in ("base", "arm")]
            assert one[score]["mean"] == pytest.approx(ends[0] - ends[1])
    for arm, cells in arms.items():
        for i, own in enumerate(cells):
            if arm != "plain":
                fall = arms["plain"][i]["error"]["mean"] - own["error"]["mean"]
                assert own["over"]["error"]["mean"] == pytest.approx(fall)
    # Sixty epochs of 150 rows teach it something: chance is 90 %.
    assert arms["plain"][-1]["error"]["mean"] < 0.5
    assert arms["plain"][-1]["error"]["mean"] < arms["plain"][0]["error"]["mean"]


def test_the_words_follow_the_intervals(figures: dict[str, Any]) -> None:
    for low, high, verb, wrong in (
        (0.01, 0.03, "affine beats dropout 0.2 in error (gain +2.00 [", "even helps"),
        (-0.03, -0.01, "affine is worse than dropout 0.2 in error (gain -2.00 [", "adds errors"),
        (-0.01, 0.03, "affine can't be told from dropout 0.2 in error (gain +1.00 [", "makes no difference"),
    ):
        made = copy.deepcopy(figures)
        found = {"mean": (low + high) / 2, "low": low, "high": high}
        made["gains"][0]["error"] = made["arms"]["turned any way"][-1]["over"]["error"] = found
        assert verb in reading(made)
        assert f"turning it any way, {wrong}" in reading(made)
    how = tell(figures).how
    assert "turned by up to 15°, shifted by up to 10 % of its side, made up to 15 % larger or smaller" in how
