"""What techniques on text share: which plane of a row says what, and words replaced by their alternatives."""

from typing import TypeVar

import torch
from torch import Tensor

from tauten.arranging import one_of, there
from tauten.draws import Draws
from tauten.errors import ContractError
from tauten.technique import Technique
from tauten.tensors import lead
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


def parted(technique: Technique, x: Tensor) -> tuple[Tensor, Tensor]:
    """x (M?, B, P, L) in two: the planes that speak of the same positions, tokens first, and all others.

    `torch.cat` along the last axis but one puts them together again.
    """
    aligned = layout_of(technique).aligned
    return x[..., :aligned, :], x[..., aligned:, :]


def alternatives(technique: Technique, x: Tensor) -> Tensor:
    """What may stand in the words' places (M?, B, S, L), 0 behind those that there are: the planes the technique names.

    ContractError where the rows came without.
    """
    layout = layout_of(technique)
    (name,) = technique.planes
    begin, count = {"synonyms": (1, layout.synonyms), "typos": (1 + layout.synonyms, layout.typos)}[name]
    if not count:
        raise ContractError(f"{technique.name} needs planes of {name} and the rows have none; prepare them with some.")
    return x[..., begin : begin + count, :]


def replaced(technique: Technique, x: Tensor, p: Tensor, r: Draws) -> Tensor:
    """x with each word that has `alternatives` replaced by one of them, at random, with probability p (M?,)."""
    words, others = parted(technique, x)
    tokens = words[..., :1, :]
    other = one_of(alternatives(technique, x), r.at("which").uniform(tokens))
    on = (r.at("on").uniform(tokens) < lead(p, tokens)) & there(words).unsqueeze(-2) & (other > 0)
    return torch.cat((torch.where(on, other, tokens), words[..., 1:, :], others), -2)
