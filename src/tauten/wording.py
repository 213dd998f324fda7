"""What techniques on text share: which plane of a row says what."""

from typing import TypeVar

import torch
from torch import Tensor

from tauten.errors import ContractError
from tauten.technique import Technique
from tauten.text.layout import TextLayout

T = TypeVar("T", bound=Technique)


def reading(technique: T, layout: TextLayout | None) -> T:
    """The technique as its hooks see it where rows are text: with the layout of their planes."""
    if layout is None:
        return technique
    told = technique.with_values({})
    vars(told)["layout"] = layout
    return told


def layout_of(technique: Technique) -> TextLayout:
    """What the planes of x (M?, B, P, L) say, for a hook; ContractError where rows are no text."""
    layout: TextLayout | None = vars(technique).get("layout")
    if layout is None:
        raise ContractError(
            f"{technique.name} asks for the layout of text and rows are no text; declare data=('text',)"
        )
    return layout


def ids_of(x: Tensor) -> Tensor:
    """The ids of each text's words (M?, B, L) int64, 0 where there is none, of x (M?, B, P, L)."""
    return x[..., 0, :].to(torch.int64)


def numbers_of(x: Tensor, layout: TextLayout) -> Tensor:
    """The other columns (M?, B, d) of x (M?, B, P, L)."""
    return x[..., layout.planes - layout.trailing :, :].flatten(-2)[..., : layout.features]


def parted(technique: Technique, x: Tensor) -> tuple[Tensor, Tensor]:
    """x (M?, B, P, L) in two: the planes that speak of the same positions, tokens first, and all others.

    `torch.cat` along the last axis but one puts them together again.
    """
    aligned = layout_of(technique).aligned
    return x[..., :aligned, :], x[..., aligned:, :]
