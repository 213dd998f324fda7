"""Rotation of images."""

import math

from torch import Tensor

from tauten.imaging import affine, signed
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead


class Rotation(
    Technique,
    name="rotation",
    paper="Simard, Steinkraus & Platt 2003, ICDAR (affine distortions of training images)",
    card="5 to 20 degrees for digits, letters and photographs; 180 where no side is up, as in microscopy. From about "
    "60 a 6 becomes a 9. All affine techniques of a recipe together cost one resampling.",
    data=("images",),
):
    """Turn every image about its centre by its own angle, uniform within ± `degrees`, anew at every step.

    Bilinear; outside, an image goes on as its border does.
    """

    degrees: float = hyperparameter(
        off=0.0, low=0.1, high=180.0, default=15.0, search=(2.0, 45.0), log=True, doc="largest angle"
    )

    def warp(self, x: Tensor, r: Draws) -> Tensor:
        (u,) = signed(r, x)
        angle = lead(self.degrees, u) * u * (math.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        return affine(x, xx=cos, xy=-sin, yx=sin, yy=cos)
