"""L1 penalty by its proximal step."""

import torch
from torch import Tensor

from tauten.technique import Here, Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead, pick


class L1(
    Technique,
    name="l1",
    paper="Tibshirani 1996 (lasso); Parikh & Boyd 2014, Proximal Algorithms §6.5.2",
    card="1e-5 to 1e-3. Gives exact zeros, so it selects inputs and prunes. Under Adam the threshold is divided by "
    "the optimizer's own preconditioner, without which no zeros appear. With l2: elastic net. Costs one pass over "
    "the weights a step.",
    after=("weight_decay",),
):
    """Minimize loss + λ Σ |w| over the kernels: after the step, shrink each weight towards 0 and stop there.

    w ← sign(w) · max(|w| − lr · λ / P, 0), with P what the optimizer divides the gradient by: √v̂ + ε under Adam,
    1 − momentum under SGD, whose velocity sums up to 1 / (1 − momentum) gradients.
    """

    strength: float = hyperparameter(off=0.0, low=1e-8, high=10.0, default=1e-4, search=(1e-6, 1e-2), log=True, doc="λ")

    def kernel(self) -> Kernel:
        return {"l1": self.strength}

    def weights(self, new: Tree, old: Tree, here: Here) -> Tree:
        on = torch.as_tensor(self.strength > 0)
        shrunk = {name: pick(on, self._shrink(new[name], name, here), new[name]) for name in here.kernels}
        return {**new, **shrunk}

    def _shrink(self, w: Tensor, name: str, here: Here) -> Tensor:
        threshold = lead(here.lr * self.strength, w)
        if here.preconditioner is not None:
            threshold = threshold / here.preconditioner[name]
        return torch.sign(w) * torch.clamp_min(w.abs() - threshold, 0.0)
