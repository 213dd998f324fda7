"""A member: one network in training; and the data it trains on."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from tauten.partners import data_of
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.tensors import Tree
from tauten.text.layout import TextLayout

RowLosses = Callable[[Tensor, Tensor], Tensor]
"""Outputs (B, K) and targets (B, K) of one member to each row's loss (B,)."""


@dataclasses.dataclass(frozen=True)
class Member:
    """(recipe, fold, seed), and for how many epochs it trains.

    `source` numbers the data it trains on. `seed` fixes start weights, batch order and every draw: two members with
    the same seed and source differ only by their recipe, so their difference is a paired one.
    """

    id: int
    recipe: Recipe
    seed: int
    source: int = 0
    epochs: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """What one fold trains on. inputs (n, …) float32, targets (n, K): class probabilities, zeros and ones of labels
    that exclude nobody ("multilabel"), or standardized targets.

    `train` are the rows that are trained on; the others are there to be scored. `weights` (n,) float32 are factors of
    the rows' losses, None for 1; of a mean of 1 over the training rows they leave the size of the loss as it is.
    `loss` takes the place of the task's own. `encodings` are the rows as each choice of the setting's `numeric` has
    them; empty where there is one way only, which is `inputs`. `channels` are the mean and standard deviation (C,)
    by which images were standardized. `layout` says what the planes of a row of text are, None of other data.
    """

    inputs: Tensor
    targets: Tensor
    train: Tensor
    task: str
    weights: Tensor | None = None
    loss: RowLosses | None = None
    encodings: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    channels: tuple[Sequence[float], Sequence[float]] = ((0.0,), (1.0,))
    layout: TextLayout | None = None

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise ValueError(f"{len(self.inputs)} input rows and {len(self.targets)} target rows; they must agree.")
        if self.weights is not None and self.weights.shape != (len(self.targets),):
            raise ValueError(
                f"{tuple(self.weights.shape)} weights for {len(self.targets)} rows; one for each is needed."
            )

    @cached_property
    def pixels(self) -> tuple[Tensor, Tensor]:
        """Black and white (C,) as the images have them: the least and greatest pixel of the training rows, of any
        channel, standardized as each channel is. Of images without any contrast they are a standard deviation apart.
        """
        rows = self.inputs[self.train]
        mean, std = (torch.tensor(v, dtype=rows.dtype, device=rows.device) for v in self.channels)
        black, white = (rows.amin((0, 2, 3)) * std + mean).min(), (rows.amax((0, 2, 3)) * std + mean).max()
        return (black - mean) / std, (torch.where(white > black, white, black + std) - mean) / std

    @property
    def data(self) -> str:
        """The kind of data that its rows are."""
        return "text" if self.layout else data_of(self.inputs.shape[1:])

    def seen(self, setting: Setting) -> Tensor:
        """The inputs as a network of this setting reads them."""
        return self.encodings.get(setting.numeric, self.inputs)


@dataclasses.dataclass(frozen=True, eq=False)
class Delivered:
    """A member's delivered weights and buffers, without member axis and without padding."""

    w: Tree
    buffers: Tree


@dataclasses.dataclass(frozen=True)
class Group:
    """What members must have in common to be stacked."""

    structure: tuple[tuple[str, object], ...]
    statics: tuple[tuple[str, str, object], ...]
    passes: int
    optimizer: str
    batch_size: int
    epoch_steps: int
    task: str
    loss: RowLosses | None
    numeric: str

    @classmethod
    def of(cls, member: Member, source: Source) -> "Group":
        """The group of a member: network, batch, steps an epoch, gradient passes, static choices, optimizer."""
        setting, n = member.recipe.setting, len(source.train)
        chosen = member.recipe.techniques
        batch_size = min(setting.batch_size, n)
        return cls(
            structure=(
                *((key, getattr(setting, key)) for key in ("net", "width", "depth", "activation", "skip")),
                *((t.name, True) for t in chosen if t.structural()),
            ),
            statics=tuple((t.name, key, value) for t in chosen for key, value in t.statics if t.hooks != {"stop"}),
            passes=max((t.passes for t in chosen), default=1),
            optimizer="sgd" if setting.optimizer == "sgd" else "adam",
            batch_size=batch_size,
            epoch_steps=-(-n // batch_size),
            task=source.task,
            loss=source.loss,
            numeric=setting.numeric if source.encodings else "",
        )


def one_hot(codes: Sequence[int] | Tensor, classes: int) -> Tensor:
    """Class codes as probabilities (n, K)."""
    return torch.nn.functional.one_hot(torch.as_tensor(codes).long(), classes).to(torch.float32)
