"""Embedding dropout."""

import torch
from torch import Tensor

from tauten.technique import Draws, Technique, hyperparameter
from tauten.wording import layout_of, parted


class EmbeddingDropout(
    Technique,
    name="embedding_dropout",
    paper="Gal & Ghahramani 2016, NeurIPS, arXiv:1512.05287; Merity, Keskar & Socher 2018, ICLR, arXiv:1708.02182",
    card="0.05 to 0.3; Merity et al. take 0.1. Beside word_dropout, which leaves words out of one text and not of all, "
    "less of both. Costs one draw a word of the vocabulary.",
    data=("text",),
):
    """Leave each word of the vocabulary out of all texts of a batch with probability `p`, others at every step.

    The same as rows of zeros in the table of word vectors. Nothing is scaled by 1 / (1 − p): an average takes the words
    that are left, a convolution sees vectors of zeros.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=0.9, default=0.1, search=(0.02, 0.6), doc="probability")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        rows = words.shape[:-3]
        dropped = r.bernoulli(self.p, words.new_empty(*rows, 1, layout_of(self).ids)).squeeze(-2)
        places = words[..., :1, :].to(torch.int64)
        gone = dropped.gather(-1, places.flatten(len(rows))).reshape(places.shape)
        kept = torch.where(gone, 0.0, words)
        return torch.cat((kept, others), -2), y
