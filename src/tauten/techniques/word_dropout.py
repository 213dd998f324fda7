"""Word dropout."""

import torch
from torch import Tensor

from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead
from tauten.wording import parted


class WordDropout(
    Technique,
    name="word_dropout",
    paper="Iyyer et al. 2015, ACL, aclanthology.org/P15-1162 (deep averaging networks)",
    card="0.1 to 0.3; the paper takes 0.3. Short texts bear less. Costs one draw a position.",
    data=("text",),
):
    """Leave each word of each text out with probability `p`, others at every step.

    The place stays empty: an average takes the words that are left, a convolution sees a vector of zeros.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=0.9, default=0.2, search=(0.02, 0.6), doc="probability")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        places = words[..., :1, :]
        kept = torch.where(r.uniform(places) < lead(self.p, places), 0.0, words)
        return torch.cat((kept, others), -2), y
