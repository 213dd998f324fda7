"""Decoupled weight decay."""

import torch

from tauten.technique import Here, Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead, pick


class WeightDecay(
    Technique,
    name="weight_decay",
    paper="Loshchilov & Hutter 2019, ICLR, arXiv:1711.05101",
    card="0.01 with AdamW is usual; 0.05 to 1 for long training at small learning rates. What counts is learning "
    "rate × decay × steps. Biases and norms are left out. Costs one pass over the weights a step.",
    practice=("images",),
):
    """After the optimizer's step, take off lr · λ · w from the kernels; the gradient never sees it."""

    strength: float = hyperparameter(off=0.0, low=1e-6, high=10.0, default=0.01, search=(1e-4, 3.0), log=True, doc="λ")

    def kernel(self) -> Kernel:
        return {"weight_decay": self.strength}

    def weights(self, new: Tree, old: Tree, here: Here) -> Tree:
        on, rate = torch.as_tensor(self.strength > 0), -here.lr * self.strength
        decayed = {k: pick(on, torch.addcmul(new[k], old[k], lead(rate, old[k])), new[k]) for k in here.kernels}
        return {**new, **decayed}
