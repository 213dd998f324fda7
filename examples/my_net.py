"""A network as people write them: `build` is what `tauten inspect` and `tauten search` are given."""

from torch import nn


def build() -> nn.Module:
    """Images (rows, 1, 8, 8) to ten outputs."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
