"""What everyone in `images` is given: few published training images, and the published test part for the end."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from tauten.builder import Builder
from tauten.cells import Arm
from tauten.data import of_arrays
from tauten.data.images import images
from tauten.evidence import compare, interval
from tauten.folds import Development
from tauten.heldout import train_arms
from tauten.options import Options
from tauten.split import selection_plan

DATA = {"mnist": ("mnist", 1000), "fashion": ("fashion_mnist", 2000), "full": ("fashion_mnist", None)}
"""Folder and number of training images; None stands for all."""
SEED = 0
"""Of the subset, which is stratified; chosen before anything was trained."""
FLIPPED = ("fashion", "full")
"""What is as likely seen from the other side."""

Correct = Mapping[str, npt.NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Training images X (n, 1, 28, 28) with codes y (n,); the test part is for `retrained` alone."""

    name: str
    X: npt.NDArray[np.float32]
    y: npt.NDArray[np.intp]
    test_images: npt.NDArray[np.float32]
    test_codes: npt.NDArray[np.intp]

    @classmethod
    def of(cls, name: str, folder: Path) -> "Problem":
        """By its name in `DATA`, out of a folder that holds the sets' folders with their IDX files."""
        where, count = DATA[name]
        table = images(folder / where)
        assert table.held is not None
        rows = np.flatnonzero(~table.held)
        if count is not None:
            rows, _ = train_test_split(rows, train_size=count, stratify=table.y[rows], random_state=SEED)
        return cls(name, table.values[rows], table.y[rows], table.values[table.held], table.y[table.held])

    def development(self, options: Options) -> Development:
        """All training images, as folds can be made of them."""
        table = of_arrays(self.X, self.y)
        return Development.of(table, selection_plan(table.y, table.task, options.folds, table.classes))


def retrained(problem: Problem, arms: Sequence[Arm], seeds: int, options: Options) -> Correct:
    """For each arm, whether each test image is named rightly (images, seeds); the same seeds for every arm."""
    development = problem.development(options)
    whole = development.whole()
    builder = Builder(whole.source, precision=options.precision)
    models = train_arms(
        builder, whole, development.table, None, arms, seeds, options, lambda _: None, "benchmark of images"
    )
    return {
        name: np.stack(
            [m.outputs(problem.test_images).argmax(-1).numpy() == problem.test_codes for m in own], 1
        ).astype(float)
        for name, own in models.items()
    }


def figures(correct: Correct) -> dict[str, dict[str, Any]]:
    """Accuracy of every arm: each seed's, and with its interval over test images and, where there are ten, seeds."""
    found = {}
    for name, own in correct.items():
        told = interval(own)
        found[name] = {"seeds": own.mean(0).round(5).tolist(), **_rounded(told.mean, told.low, told.high)}
    return found


def difference(correct: Correct, of: str, over: str) -> dict[str, float]:
    """How much more accurate one arm is than another, paired, with its interval."""
    told = compare(1 - correct[over], 1 - correct[of])
    return _rounded(told.mean, told.low, told.high)


def _rounded(mean: float, low: float, high: float) -> dict[str, float]:
    return {key: round(float(v), 5) for key, v in (("mean", mean), ("low", low), ("high", high))}
