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


@dataclass(frozen=True, eq=False)
class Problem:
    """Inputs (n, d) in [0, 1], targets (n, K); the first `n_train` rows are for training, the others are the test."""

    inputs: Tensor
    targets: Tensor
    n_train: int
    name: str
    note: str

    @property
    def test(self) -> Tensor:
        """The rows of the test set."""
        return torch.arange(self.n_train, len(self.inputs))

    @property
    def digest(self) -> str:
        """A hash of the content, so that results of other data are not taken for this one's."""
        content = hashlib.blake2s(digest_size=8)
        for part in (self.inputs, self.targets):
            content.update(part.numpy().tobytes())
        return content.hexdigest()


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
        if len(images) and images.shape[1:] == (28, 28) and len(found.train_images) == MNIST_TRAIN:
            name = "MNIST"
        else:
            name = "IDX images"
        note = f"{name} from IDX files: {len(found.train_images):,} training and {len(found.test_images):,} test rows"
        return _problem(
            images.reshape(len(images), -1).astype(np.float32) / np.float32(255),
            labels,
            len(found.train_images),
            name,
            note,
        )
    try:
        pixels, labels = _from_openml(downloads)
    except (OSError, http.client.HTTPException) as error:
        progress(f"MNIST can't be fetched ({error.__class__.__name__}); the bundled digits stand in for it")
        return _digits()
    note = "MNIST from OpenML (mnist_784, version 1): 60,000 training and 10,000 test rows"
    return _problem(pixels / np.float32(255), labels, MNIST_TRAIN, "MNIST", note)


def _from_openml(downloads: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import fetch_openml

    with warnings.catch_warnings():
        # It warns once for every try that fails; the last failure is an error and says it all.
        warnings.simplefilter("ignore")
        x, y = fetch_openml(
            "mnist_784", version=1, as_frame=False, return_X_y=True, parser="liac-arff", data_home=str(downloads)
        )
    return np.asarray(x, np.float32), np.asarray(y, np.int64)


def _digits() -> Problem:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    n_train = len(x) * 4 // 5
    note = (
        f"scikit-learn's bundled digits, 8 × 8 pixels ({n_train:,} training and {len(x) - n_train:,} test rows), "
        "because MNIST could not be fetched: no figure here is one of MNIST"
    )
    return _problem((x / 16).astype(np.float32), y, n_train, "digits", note)


def _problem(x: NDArray[np.float32], labels: NDArray[np.integer], n_train: int, name: str, note: str) -> Problem:
    if n_train < FEWEST or len(x) - n_train < FEWEST:
        raise DataError(
            f"the data has {n_train} training and {len(x) - n_train} test rows: expected at least {FEWEST} of each, "
            "so name a folder with more"
        )
    y = torch.from_numpy(labels.astype(np.int64))
    return Problem(torch.from_numpy(np.ascontiguousarray(x)), one_hot(y, int(y.max()) + 1), n_train, name, note)
