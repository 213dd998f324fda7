"""Shear of images."""

import math

from torch import Tensor

from tauten.imaging import affine, signed
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead


class Shear(
    Technique,
    name="shear",
    paper="Simard, Steinkraus & Platt 2003, ICDAR (affine distortions of training images)",
    card="5 to 20 degrees; it slants writing as hands do. All affine techniques of a recipe together cost one "
    "resampling.",
    data=("images",),
):
    """Slant every image by its own angle, uniform within ± `degrees`: rows are moved sideways, y pixels below the
    centre by y · tan(angle).

    Bilinear; outside, an image goes on as its border does.
    """

    degrees: float = hyperparameter(
        off=0.0, low=0.1, high=60.0, default=10.0, search=(2.0, 35.0), log=True, doc="largest angle"
    )

    def warp(self, x: Tensor, r: Draws) -> Tensor:
        (u,) = signed(r, x)
        angle = lead(self.degrees, u) * u * (math.pi / 180)
        return affine(x, xy=-angle.sin() / angle.cos())
