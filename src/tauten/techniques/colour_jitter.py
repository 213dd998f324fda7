"""Colour jitter."""

import math

import torch
from torch import Tensor

from tauten.imaging import recolour, signed
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead, pick


class ColourJitter(
    Technique,
    name="colour_jitter",
    paper="Krizhevsky, Sutskever & Hinton 2012, NeurIPS; torchvision's ColorJitter; hue as a rotation about the axis "
    "of greys: Karras et al. 2020, arXiv:2006.06676",
    card="0.2 to 0.4 each and hue up to 0.1 for photographs; less where colour tells the class. Images of one channel "
    "have brightness and contrast only. Costs a pass or two over the images.",
    after=("flip",),
    data=("images",),
):
    """Change brightness, contrast, saturation and hue of every image by its own amounts, uniform within ± each value.

    Pixels are standardized by channel, so: `brightness` is added, in standard deviations; `contrast` c multiplies the
    distance from the image's own channel means by 1 ± c, `saturation` that from its grey (of three channels, the
    luminance), both as in torchvision; `hue` turns colours about the axis of greys by up to that share of the circle.
    Nothing is clipped, since the range of pixels is not known. Saturation and hue act on three channels only.
    """

    brightness: float = hyperparameter(off=0.0, low=0.01, high=2.0, default=0.3, search=(0.05, 0.8), doc="± deviations")
    contrast: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.3, search=(0.05, 0.8), doc="± factor")
    saturation: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.3, search=(0.05, 0.8), doc="± factor")
    hue: float = hyperparameter(off=0.0, low=0.005, high=0.5, default=0.05, search=(0.01, 0.2), doc="± of the circle")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        b, c, s, h = signed(r, x, 4)
        new = recolour(
            x,
            lead(self.brightness, b) * b,
            1 + lead(self.contrast, c) * c,
            1 + lead(self.saturation, s) * s,
            2 * math.pi * lead(self.hue, h) * h,
        )
        amounts = (self.brightness, self.contrast, self.saturation, self.hue)
        return pick(torch.stack([torch.as_tensor(a) for a in amounts]).amax(0) > 0, new, x), y
