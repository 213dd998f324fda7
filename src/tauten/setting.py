"""The setting: what is not regularization but interacts with it."""

import dataclasses
import math
from typing import dataclass_transform

from tauten.declare import Declared, choice, hyperparameter

WARM = 0.1
"""The share of the full length that a warm schedule's way up takes, and the share of the rate that it begins at."""


@dataclass_transform(frozen_default=True, field_specifiers=(hyperparameter, choice))
class _Frozen(Declared):
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True)(cls)


class Setting(_Frozen):
    """Optimizer, learning rate, schedule, duration, batch and network size.

    `adam` and `adamw` take the same step: decay is the technique `weight_decay`, decoupled under every optimizer.
    `epochs` is the schedule's full length; early stopping or a search may end sooner.

    >>> Setting(learning_rate=0.01).optimizer
    'adamw'
    """

    name = "setting"

    optimizer: str = choice(default="adamw", options=("adamw", "adam", "sgd"), doc="the step")
    learning_rate: float = hyperparameter(
        low=1e-7, high=100.0, default=1e-3, search=(3e-4, 1e-2), log=True, doc="at the start"
    )
    momentum: float = hyperparameter(low=0.0, high=0.9999, default=0.9, doc="of sgd; Adam uses β = (0.9, 0.999)")
    schedule: str = choice(
        default="constant",
        options=("constant", "cosine", "warm_cosine"),
        doc="of the learning rate; warm: from a tenth of it up over the first tenth of the length, then the cosine",
    )
    epochs: int = hyperparameter(low=1, high=100_000, default=50, integer=True, doc="full length")
    batch_size: int = hyperparameter(low=1, high=1_000_000, default=128, integer=True, doc="rows a step")
    net: str = choice(
        default="auto",
        options=("auto", "mlp", "convnet", "bag", "bigrams", "kim"),
        doc="built-in network; auto: convnet for images, bigrams for text, else mlp",
    )
    width: int = hyperparameter(
        low=1, high=65_536, default=128, integer=True, doc="hidden units of a layer; channels of a convnet's last stage"
    )
    depth: int = hyperparameter(
        low=0, high=100, default=2, integer=True, doc="hidden layers, 0: linear; residual layers of a convnet's stage"
    )
    activation: str = choice(default="relu", options=("relu", "gelu", "silu", "tanh"), doc="after a hidden layer")
    skip: bool = choice(default=True, options=(False, True), doc="add each hidden layer's input to its output")
    numeric: str = choice(
        default="plain", options=("plain", "piecewise"), doc="a table's numbers enter scaled, or over quantile bins"
    )

    def rate_at(self, progress: float) -> float:
        """Learning rate at a share `progress` (0 to 1) of the full length.

        The cosine is that of Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts; the way up is linear, as in
        Goyal et al. 2017, arXiv:1706.02677.

        >>> [round(Setting(schedule="warm_cosine", learning_rate=1.0).rate_at(p), 3) for p in (0, 0.05, 0.1, 0.55, 1)]
        [0.1, 0.55, 1.0, 0.5, 0.0]
        """
        if self.schedule == "constant":
            return self.learning_rate
        warm = WARM if self.schedule == "warm_cosine" else 0.0
        if progress < warm:
            return self.learning_rate * (WARM + (1 - WARM) * progress / warm)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min((progress - warm) / (1 - warm), 1.0)))
