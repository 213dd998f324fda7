"""L2 penalty."""

import torch
from torch import Tensor

from tauten.technique import Here, Kernel, Technique, hyperparameter
from tauten.tensors import lead, pick, sum_per_member


class L2(
    Technique,
    name="l2",
    paper="Krogh & Hertz 1991, NIPS 4:950-957; Hoerl & Kennard 1970 (ridge)",
    card="1e-5 to 1e-3. Under SGD it is weight decay of 2λ; under Adam it is not, because Adam divides the "
    "penalty's gradient by its own scale (Loshchilov & Hutter 2019): use weight_decay there. With l1: elastic net. "
    "Costs one pass over the weights a step.",
):
    """Add λ Σ w² over the kernels to the loss. (torch's `weight_decay` equals 2λ under SGD.)"""

    strength: float = hyperparameter(off=0.0, low=1e-8, high=10.0, default=1e-4, search=(1e-6, 1e-2), log=True, doc="λ")

    def kernel(self) -> Kernel:
        return {"l2": self.strength}

    def loss(self, loss: Tensor, out: Tensor, here: Here) -> Tensor:
        on = torch.as_tensor(self.strength > 0)
        total = torch.zeros_like(loss)
        for name in here.kernels:
            w = here.w[name]
            w = pick(on, w, torch.zeros_like(w))  # before the square: 0 · ∞² would be NaN
            total = total + sum_per_member(w * w, loss)
        return loss + lead(self.strength, loss) * total
