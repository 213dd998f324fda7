"""Gaussian noise on the input."""

import torch
from torch import Tensor

from tauten.technique import Draws, Kernel, Technique, hyperparameter
from tauten.tensors import lead, pick


class InputNoise(
    Technique,
    name="input_noise",
    paper="Bishop 1995, Neural Computation 7:108-116 (equal to Tikhonov regularization to second order)",
    card="0.05 to 0.5 on standardized columns. Costs one normal draw an input.",
    data=("tables", "images"),
    after=("mixup",),
):
    """Add independent normal noise with standard deviation `sigma` to every input of every row at every step."""

    sigma: float = hyperparameter(
        off=0.0, low=1e-4, high=5.0, default=0.1, search=(0.01, 1.0), log=True, doc="standard deviation"
    )

    def kernel(self) -> Kernel:
        return {"input_noise": self.sigma, "noise_site": "batch"}

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        return pick(torch.as_tensor(self.sigma > 0), x + lead(self.sigma, x) * r.normal(x), x), y
