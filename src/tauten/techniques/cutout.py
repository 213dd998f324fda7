"""Cutout."""

import torch
from torch import Tensor

from tauten.imaging import box, uniform
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead


class Cutout(
    Technique,
    name="cutout",
    paper="DeVries & Taylor 2017, arXiv:1708.04552",
    card="0.25 to 0.5 of the shorter side for photographs. Needs classes that can be told from a part. Acts after "
    "cutmix and mixup. Costs a pass over the images.",
    after=("blur", "colour_jitter", "cutmix", "flip", "mixup", "trivial_augment"),
    data=("images",),
):
    """Cover a square of each image with 0, the mean of each channel; its centre is anywhere in the image.

    Its side is `share` of the image's shorter side; what of it lies outside is cut off, so less is covered there.
    """

    share: float = hyperparameter(
        off=0.0, low=0.05, high=1.0, default=0.4, search=(0.1, 0.7), doc="side, as a share of the shorter side"
    )

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        down, across = uniform(r, x, 2)
        side = (lead(self.share, down) * min(x.shape[-2:])).expand_as(down)
        return torch.where(box(x, down, across, side, side), 0.0, x), y
