"""Blur of images."""

import torch
from torch import Tensor

from tauten.imaging import smooth, uniform
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead, pick

REACH = 4
"""Pixels on each side of the centre that the kernel covers."""


class Blur(
    Technique,
    name="blur",
    paper="Chen et al. 2020, ICML, arXiv:2002.05709 (SimCLR's gaussian blur)",
    card="0.5 to 1.5 pixels for small images; for test images that are less sharp than the training images. Costs "
    "some twenty passes over the images.",
    after=("colour_jitter", "flip"),
    data=("images",),
):
    """Convolve every image with a gaussian of its own standard deviation, uniform from 0 to `sigma` pixels.

    The kernel covers 4 pixels on each side and sums to 1; outside, an image goes on as its border does. Below about a
    fifth of a pixel the neighbours' weights vanish, and the image stays as it is.
    """

    sigma: float = hyperparameter(
        off=0.0, low=0.05, high=2.0, default=0.7, search=(0.2, 1.5), log=True, doc="largest standard deviation, pixels"
    )

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        (u,) = uniform(r, x)
        # Below a hundredth of a pixel the kernel is a single 1 in any case.
        sigma = (lead(self.sigma, u) * u).clamp(min=0.01).unsqueeze(-1)
        kernel = (-0.5 * (torch.arange(REACH + 1, device=x.device) / sigma).square()).exp()
        total = 2 * kernel.sum(-1, keepdim=True) - kernel[..., :1]
        return pick(torch.as_tensor(self.sigma > 0), smooth(x, kernel / total), x), y
