"""A recipe at work in a training loop of one's own.

python my_loop.py runs/mine/recipe.toml
"""

import sys

import numpy as np
import torch
from my_net import build
from torch.utils.data import DataLoader, TensorDataset

import tauten

data = np.load("digits.npz")
X, y = torch.from_numpy(data["X"]).float().unsqueeze(1), torch.from_numpy(data["y"])
test = torch.arange(len(X)) % 5 == 0
X = (X - X[~test].mean()) / X[~test].std()  # as the search does: each channel by its training rows


def accuracy(recipe: tauten.Recipe) -> float:
    """Train once with this recipe and score the test rows."""
    torch.manual_seed(0)
    model = build()
    rows = TensorDataset(X[~test], y[~test])
    loader = DataLoader(rows, batch_size=recipe.setting.batch_size, shuffle=True, drop_last=True)
    run = recipe.attach(
        model, task="classification", classes=10, steps_per_epoch=len(loader), targets=y[~test]
    )  # fmt: skip
    for _ in range(run.epochs):
        for x, labels in loader:
            run.loss(x, labels).backward()
            run.step()
    with torch.no_grad():
        return float((run.deliver()(X[test]).argmax(1) == y[test]).float().mean())


recipe = tauten.Recipe.load(sys.argv[1])
print(f"{' + '.join(recipe.names) or 'plain'}: {accuracy(recipe) * 100:.1f} % of the test rows right")
