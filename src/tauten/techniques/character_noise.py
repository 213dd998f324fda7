"""Character noise."""

import torch
from torch import Tensor

from tauten.technique import Draws, Technique, hyperparameter
from tauten.wording import replaced


class CharacterNoise(
    Technique,
    name="character_noise",
    paper="Belinkov & Bisk 2018, ICLR, arXiv:1711.02173",
    card="0.05 to 0.3, for texts in which people mistype. A misspelt word shares an id with others, as a word does "
    "that training never saw, so this also trains what becomes of those. Costs two draws a position.",
    data=("text",),
    planes=("typos",),
):
    """Misspell each word of four letters or more with probability `p`, others at every step.

    By one slip: two letters swapped, one left out, one doubled or put in, or one hit beside; three variants of each
    word are at hand. The first and last letters stay.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=0.9, default=0.1, search=(0.02, 0.6), doc="probability")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        return replaced(self, x, torch.as_tensor(self.p), r), y
