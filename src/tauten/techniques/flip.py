"""Flips of images."""

from torch import Tensor

from tauten.imaging import select, uniform
from tauten.technique import Draws, Technique, choice, hyperparameter
from tauten.tensors import lead


class Flip(
    Technique,
    name="flip",
    paper="Krizhevsky, Sutskever & Hinton 2012, NeurIPS (horizontal reflections)",
    card="0.5, for what is as likely seen from the other side: photographs and clothes, not digits or letters. "
    "Vertical flips for images without an upside. Doubles the distinct views, no more. Costs next to nothing.",
    data=("images",),
):
    """Mirror each image with probability `p`: left and right, or up and down."""

    p: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.5, search=(0.5, 0.5), doc="probability of a flip")
    axis: str = choice(default="horizontal", options=("horizontal", "vertical"), doc="what is mirrored")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        (u,) = uniform(r, x)
        mirrored = x.flip(-1 if self.axis == "horizontal" else -2)
        return select(u < lead(self.p, u), mirrored, x), y
