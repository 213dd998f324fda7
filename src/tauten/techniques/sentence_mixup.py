"""Mixup of sentence vectors."""

from torch import Tensor

from tauten.mixing import mixing
from tauten.technique import Draws, Technique, hyperparameter


class SentenceMixup(
    Technique,
    name="sentence_mixup",
    paper="Guo, Mao & Zhang 2019, arXiv:1905.08941 (senMixup)",
    card="alpha 0.2 to 1; the paper takes 1. Mixes targets too, so it also smooths labels: use less label_smoothing "
    "beside it. Needs longer training. Costs next to nothing. In Tauten's own networks of text only.",
    data=("text",),
    mixes=True,
):
    """Train on mixtures of what stands for whole texts: h ← s·h + (1 − s)·h′ and y ← s·y + (1 − s)·y′, s ~ Beta(α, α).

    h is the mean of a text's word vectors, or its strongest convolutions, and the other columns beside; h′ is that of
    another row of the batch, from a random order. Each row draws its own share s.
    """

    alpha: float = hyperparameter(off=0.0, low=0.01, high=10.0, default=0.5, search=(0.05, 4.0), log=True, doc="α")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        return x, mixing(self.alpha, y, r)(y)

    def pooled(self, h: Tensor, r: Draws) -> Tensor:
        return mixing(self.alpha, h, r)(h)
