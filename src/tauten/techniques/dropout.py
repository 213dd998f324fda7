"""Dropout."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tauten.technique import Draws, Kernel, Technique, choice, hyperparameter
from tauten.tensors import lead


class Dropout(
    Technique,
    name="dropout",
    paper="Srivastava et al. 2014, JMLR 15:1929-1958",
    card="0.2 to 0.5 for hidden units of wide networks, less for narrow ones. Wants a wider network and longer "
    "training; beside batch norm often less is enough. `inverted` scales in training, `classic` at inference: they "
    "are equal in expectation, and scaling at both ends would be an error, so a recipe holds one form. "
    "Costs one draw an activation in training, nothing at inference.",
):
    """Zero each hidden unit with probability `p`, a new mask at every step and row.

    `inverted` divides the kept units by 1 − p in training and is the identity in evaluation; `classic` leaves them
    unscaled in training and multiplies all by the keep probability 1 − p in evaluation.
    """

    p: float = hyperparameter(
        off=0.0, low=0.01, high=0.95, default=0.2, search=(0.05, 0.7), per_layer=True, doc="probability of a zero"
    )
    form: str = choice(default="inverted", options=("inverted", "classic"), doc="where the scale is applied")

    @classmethod
    def at_rates(cls, rates: Sequence[float]) -> "Dropout":
        spec = cls.hyperparameters()["p"]
        own = [min(max(p, spec.low), spec.high) if p else 0.0 for p in rates]
        return cls.from_dict({"p": own if len(set(own)) > 1 else own[0]})

    def kernel(self) -> Kernel:
        classic = float(self.form == "classic")
        return {"dropout": self.p, "dropout_classic": classic, "dropout_sites": "activation/{layer}"}

    def activation(self, h: Tensor, r: Draws) -> Tensor:
        # As bytes, which torch converts several times faster than truth values; one factor, 0 or the scale, so that
        # the backward pass is one product.
        kept = (~r.bernoulli(self.p, h)).view(torch.uint8).to(h.dtype)
        scale = torch.ones_like(torch.as_tensor(self.p)) if self.form == "classic" else 1 / (1 - self.p)
        return h * (kept * lead(scale, h))

    def inference(self, h: Tensor) -> Tensor:
        return h * lead(1 - self.p, h) if self.form == "classic" else h
