"""TrivialAugment."""

import torch
from torch import Tensor

from tauten.imaging import affine, recolour, resample, select, uniform
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead, pick

OPERATIONS = 9
"""Nothing, rotation, shear and shift along either axis, brightness, contrast, saturation."""
ANGLE, SHEAR, SHIFT, COLOUR = 0.5236, 0.3, 0.3, 0.9
"""Largest values: radians (30 degrees), tangent, share of a side, factor of colours less 1."""


class TrivialAugment(
    Technique,
    name="trivial_augment",
    paper="Müller & Hutter 2021, ICCV, arXiv:2103.10158",
    card="1, beside flips and shifts: an image gets one strong change at a time, with nothing to tune. It turns by up "
    "to 30 degrees and changes colours, so less than 1 where these tell the class. Costs about two resamplings.",
    after=("colour_jitter", "flip"),
    data=("images",),
):
    """Change each image by one operation drawn from nine, by an amount drawn uniformly up to its largest value.

    Nothing; rotation (30°); shear along x or y (0.3); shift along x or y (0.3 of the side); brightness (0.9 standard
    deviations); contrast, saturation (factor 0.1 to 1.9). `strength` multiplies the largest values. Of the
    paper's operations, posterize, solarize, autocontrast and equalize are left out, which need the range of pixels, and
    sharpness, which would cost as much as all others.
    """

    strength: float = hyperparameter(off=0.0, low=0.05, high=1.0, default=1.0, search=(0.2, 1.0), doc="× the largest")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        kind, u = uniform(r, x, 2)
        operation, amount = (kind * OPERATIONS).floor(), lead(self.strength, u) * (2 * u - 1)
        # By number of the operation: its amount where it was drawn, 0 elsewhere, and there all is the identity.
        by = [torch.where(operation == i, amount, 0.0) for i in range(OPERATIONS)]
        cos, sin = (ANGLE * by[1]).cos(), (ANGLE * by[1]).sin()
        height, width = x.shape[-2:]
        maps = affine(
            x,
            xx=cos,
            xy=SHEAR * by[2] - sin,
            dx=SHIFT * width * by[4],
            yx=SHEAR * by[3] + sin,
            yy=cos,
            dy=SHIFT * height * by[5],
        )
        moved = resample(x, maps)
        new = recolour(x, COLOUR * by[6], 1 + COLOUR * by[7], 1 + COLOUR * by[8], torch.zeros_like(u))
        new = select(operation < 6, moved, new)
        return pick(torch.as_tensor(self.strength > 0), new, x), y
