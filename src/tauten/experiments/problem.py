"""The data of the dropout experiment, and the cells it is run in: protocol × number of training rows."""

import hashlib
import http.client
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tauten.data.idx import load_idx
from tauten.errors import DataError
from tauten.member import one_hot

SMALL = 1_000
"""Rows of the small training set, or a sixth of the training rows where that is less."""
FEWEST = 60
MNIST_TRAIN = 60_000
MNIST = "d97bb035a61f8d22"
"""Digest of the set as published."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Inputs (n, d) in [0, 1], targets (n, K); the first `n_train` rows are for training, the others are the test.

    `digest` is a hash of the content, so that results of other data are not taken for this one's.
    """

    inputs: Tensor
    targets: Tensor
    n_train: int
    name: str
    note: str
    digest: str

    @property
    def test(self) -> Tensor:
        """The rows of the test set."""
        return torch.arange(self.n_train, len(self.inputs))


@dataclass(frozen=True, eq=False)
class Cell:
    """A protocol on the first `n` training rows. `usual`: the test set is the validation set. `honest`: the last sixth
    of these rows is."""

    protocol: str
    n: int
    fit: Tensor
    validation: Tensor

    @property
    def name(self) -> str:
        """As files are named."""
        return f"{self.protocol}-{self.n}"


def cells(problem: Problem) -> list[Cell]:
    """Both protocols on few rows, then on all of them."""
    found = []
    for n in (min(SMALL, problem.n_train // 6), problem.n_train):
        rows, kept = torch.arange(n), n - n // 6
        found += [Cell("usual", n, rows, problem.test), Cell("honest", n, rows[:kept], rows[kept:])]
    return found


def load_problem(data: Path | None, downloads: Path, progress: Callable[[str], None]) -> Problem:
    """The images of an IDX folder, else MNIST from OpenML, else scikit-learn's digits, with a note saying which.

    A download is kept in `downloads`. Raises DataError for a folder that can't be used.
    """
    if data is not None:
        found = load_idx(data)
        images = np.concatenate([found.train_images, found.test_images])
        labels = np.concatenate([found.train_labels, found.test_labels])
        return _problem(images.reshape(len(images), -1) / np.float32(255), labels, len(found.train_images), "IDX files")
    try:
        pixels, labels = _from_openml(downloads)
    except (OSError, http.client.HTTPException) as error:
        progress(f"MNIST can't be fetched ({error.__class__.__name__}); the bundled digits stand in for it")
        return digits(", because MNIST was not to be had")
    return _problem(pixels / np.float32(255), labels, MNIST_TRAIN, "OpenML (mnist_784, version 1)")


def _from_openml(downloads: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import fetch_openml

    with warnings.catch_warnings():
        # It warns once for every try that fails; the last failure is an error and says it all.
        warnings.simplefilter("ignore")
        x, y = fetch_openml(
            "mnist_784",
            version=1,
            as_frame=False,
            return_X_y=True,
            parser="liac-arff",
            data_home=str(downloads),
            n_retries=1,
        )
    return np.asarray(x, np.float32), np.asarray(y, np.int64)


def digits(reason: str = "") -> Problem:
    """Scikit-learn's digits, which need no network; the note says the reason too."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _problem(x / 16, y, len(x) * 4 // 5, f"scikit-learn's bundled digits, 8 × 8 pixels{reason}")


def _problem(x: NDArray[np.floating], labels: NDArray[np.integer], n_train: int, source: str) -> Problem:
    n_test = len(x) - n_train
    if n_train < FEWEST or n_test < FEWEST:
        raise DataError(
            f"the data has {n_train} training and {n_test} test rows: expected at least {FEWEST} of each, "
            "so name a folder with more"
        )
    codes = torch.from_numpy(labels.astype(np.int64))
    inputs, targets = torch.from_numpy(x.astype(np.float32)), one_hot(codes, int(codes.max()) + 1)
    content = hashlib.blake2s(digest_size=8)
    for part in (inputs, targets):
        content.update(part.numpy().tobytes())
    digest = content.hexdigest()
    # Other sets come in the same files and sizes: only the content tells.
    name = "MNIST" if digest == MNIST else "not MNIST"
    return Problem(
        inputs, targets, n_train, name, f"{name}, from {source}: {n_train:,} training, {n_test:,} test rows", digest
    )
