from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tauten.draws import Draws

MEMBERS, ROWS = 3, 40

# Tests run side by side, one a core: threads of torch's own would wait for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    """Scikit-learn's digits for three members, standardized: grey (3, 40, 1, 8, 8), and three of them as colours."""
    images = load_digits().images.astype(np.float32)
    images = torch.tensor((images - images.mean()) / images.std())
    return SimpleNamespace(
        grey=images[: MEMBERS * ROWS].reshape(MEMBERS, ROWS, 1, 8, 8),
        colour=images[: MEMBERS * ROWS * 3].reshape(MEMBERS, ROWS, 3, 8, 8),
        labels=torch.nn.functional.one_hot(torch.tensor(load_digits().target[: MEMBERS * ROWS]), 10)
        .float()
        .reshape(MEMBERS, ROWS, 10),
    )


@pytest.fixture(scope="session")
def place():
    """Draws of one place in the step, for three members."""

    def draws(path="here", step=0):
        return Draws(torch.arange(MEMBERS), torch.full((MEMBERS,), step), path)

    return draws


@pytest.fixture(scope="session")
def numbers(place):
    """What is drawn there for each image, on [0, 1), as arrays (3, 40, count)."""

    def drawn(path="here", count=1):
        return place(path).uniform(torch.zeros(MEMBERS, ROWS, count)).double().numpy()

    return drawn


@pytest.fixture(scope="session")
def each():
    """A reference applied image by image, in double precision."""

    def apply(reference, x):
        out = np.empty(x.shape)
        for i, j in np.ndindex(*x.shape[:2]):
            out[i, j] = reference(i, j, x[i, j].double().numpy())
        return torch.tensor(out, dtype=torch.float32)

    return apply
