"""Random insertion."""

import torch
from torch import Tensor

from tauten.arranging import filled, inserted, nth, one_of, there
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead
from tauten.wording import alternatives, parted


class RandomInsertion(
    Technique,
    name="random_insertion",
    paper="Wei & Zou 2019, EMNLP, arXiv:1901.11196 (EDA)",
    card="0.05 to 0.2; the paper takes 0.05 for 500 texts, 0.1 for 5,000 and more. Words that are pushed beyond the "
    "network's length are lost. Synonyms as for synonym_replacement. Costs three draws a position and a search.",
    data=("text",),
    planes=("synonyms",),
):
    """Before each word put, with probability `p`, a synonym of a word of the same text, others at every step.

    The word is any that has one; a text without such words stays as it is.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=0.5, default=0.1, search=(0.02, 0.4), doc="probability, EDA's α")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        tokens, own = there(words), alternatives(self, x)
        known = tokens & (own[..., 0, :] > 0)
        drawn = (r.at(name).uniform(words[..., 0, :]) for name in ("where", "whose", "which"))
        where, whose, which = drawn
        of_whom = filled(own, nth(known, whose))
        on = (where < lead(self.p, where)) & tokens & known.any(-1, keepdim=True)
        return torch.cat((inserted(words, one_of(of_whom, which.unsqueeze(-2)), on), others), -2), y
