"""Span cutoff."""

import torch
from torch import Tensor

from tauten.arranging import there
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead
from tauten.wording import parted


class SpanCutoff(
    Technique,
    name="span_cutoff",
    paper="Shen et al. 2020, arXiv:2009.13818",
    card="0.1 to 0.4. The paper cuts spans of one length and adds a term of consistency between views, which is left "
    "out here. Costs three draws a text.",
    data=("text",),
):
    """Leave neighbouring words of each text out, another span at every step, at most a share of its words.

    The span's length is uniform from 0 to `share`, a fraction of a word being a chance of one more; a word always
    stays. Places stay empty, as in `word_dropout`.
    """

    share: float = hyperparameter(
        off=0.0, low=0.02, high=0.9, default=0.3, search=(0.05, 0.7), doc="of the words, the longest span"
    )

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        places = torch.arange(x.shape[-1], device=x.device)
        size = torch.where(there(words), places + 1, 0).amax(-1, keepdim=True)
        long, further, start = r.uniform(x.new_zeros((*x.shape[:-2], 3))).unsqueeze(-1).unbind(-2)
        length = torch.minimum((long * lead(self.share, long) * size + further).floor(), (size - 1).clamp_min(0))
        begin = (start * (size - length + 1)).floor()
        cut = ((places >= begin) & (places < begin + length)).unsqueeze(-2)
        return torch.cat((torch.where(cut, 0.0, words), others), -2), y
