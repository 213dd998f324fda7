"""Shift of images."""

from torch import Tensor

from tauten.imaging import affine, signed
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead


class Shift(
    Technique,
    name="shift",
    paper="Simard, Steinkraus & Platt 2003, ICDAR; He et al. 2016, arXiv:1512.03385 (4 of 32 pixels)",
    card="0.05 to 0.15; 0.125 is the usual random crop of 32 × 32 pixels after 4 more on each side. Needs objects "
    "that may stand anywhere. All affine techniques of a recipe together cost one resampling.",
    data=("images",),
    practice=("images",),
):
    """Move every image by its own distances, uniform within ± `share` of its width and of its height.

    The distances are fractions of pixels (bilinear), so no two views are equal; outside, an image goes on as its
    border does. The same as cropping at random from an image with a wider border.
    """

    share: float = hyperparameter(
        off=0.0, low=0.005, high=0.5, default=0.1, search=(0.02, 0.25), log=True, doc="largest share of a side"
    )

    def warp(self, x: Tensor, r: Draws) -> Tensor:
        across, down = signed(r, x, 2)
        share = lead(self.share, across)
        return affine(x, dx=share * x.shape[-1] * across, dy=share * x.shape[-2] * down)
