"""Cutmix."""

import torch
from torch import Tensor

from tauten.imaging import box, uniform
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead, take_rows


class Cutmix(
    Technique,
    name="cutmix",
    paper="Yun et al. 2019, ICCV, arXiv:1905.04899",
    card="p 0.5 to 1 for photographs and long training. Mixes targets, so it also smooths labels: use less "
    "label_smoothing beside it. Costs one gather a batch.",
    after=("blur", "colour_jitter", "flip", "trivial_augment"),
    data=("images",),
    mixes=True,
):
    """Put a box of another image of the batch into an image, and mix the targets by the share of pixels.

    Each image is mixed with probability `p` and has its own partner, from a random order of the batch, and its own box:
    1 − s of the area, s uniform on [0, 1) (Beta(1, 1), as in the paper), its centre anywhere; what of it lies outside
    is cut off. y ← k·y + (1 − k)·y′ with k the share of pixels that were kept.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.5, doc="probability that an image is mixed")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        u, s, down, across = uniform(r.at("box"), x, 4)
        partner = r.at("partner").permutation(y.shape[-2])
        side = torch.where(u < lead(self.p, u), (1 - s).sqrt(), 0.0)
        cut = box(x, down, across, side * x.shape[-2], side * x.shape[-1])
        kept = 1 - cut.to(y.dtype).mean((-3, -2, -1)).unsqueeze(-1)
        mixed = kept * y + (1 - kept) * take_rows(y, partner)
        return torch.where(cut, take_rows(x, partner), x), torch.where(kept < 1, mixed, y)
