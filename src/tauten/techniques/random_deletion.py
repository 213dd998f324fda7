"""Random deletion."""

import torch
from torch import Tensor

from tauten.arranging import filled, packed, there
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead
from tauten.wording import parted


class RandomDeletion(
    Technique,
    name="random_deletion",
    paper="Wei & Zou 2019, EMNLP, arXiv:1901.11196 (EDA)",
    card="0.05 to 0.3; the paper takes 0.05 for 500 texts, 0.1 for 5,000 and more. In a bag the same as word_dropout, "
    "but that a word always stays. Costs a draw a position and a search.",
    data=("text",),
):
    """Delete each word of each text with probability `p`, others at every step; what is left closes up.

    Where all would go, one of them stays.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=0.9, default=0.1, search=(0.02, 0.6), doc="probability, EDA's α")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        u = torch.where(there(words), r.uniform(words[..., 0, :]), -1.0)
        kept = (u >= lead(self.p, u)) | (u == u.amax(-1, keepdim=True)) | ~there(words)
        return torch.cat((filled(words, packed(kept)), others), -2), y
