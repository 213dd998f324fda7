"""Zoom of images."""

from torch import Tensor

from tauten.imaging import affine, signed
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead


class Zoom(
    Technique,
    name="zoom",
    paper="Simard, Steinkraus & Platt 2003, ICDAR (affine distortions of training images)",
    card="0.1 to 0.3. Needs objects whose size says nothing of their class. All affine techniques of a recipe "
    "together cost one resampling.",
    data=("images",),
):
    """Magnify every image by its own factor (1 + `amount`)ᵘ, u uniform on [−1, 1): as often larger as smaller.

    About the centre, bilinear; outside, an image goes on as its border does.
    """

    amount: float = hyperparameter(
        off=0.0, low=0.01, high=2.0, default=0.15, search=(0.03, 0.6), log=True, doc="largest factor, less 1"
    )

    def warp(self, x: Tensor, r: Draws) -> Tensor:
        (u,) = signed(r, x)
        factor = (u * lead(self.amount, u).log1p()).exp()
        return affine(x, xx=1 / factor, yy=1 / factor)
