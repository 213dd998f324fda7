"""Sharpness-aware minimization."""

import torch

from tauten.technique import Here, Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead, norm_per_member, pick


class SAM(
    Technique,
    name="sam",
    paper="Foret et al. 2021, ICLR, arXiv:2010.01412",
    card="0.05; up to 0.2 with much data augmentation. Costs a second gradient a step: twice the time.",
    passes=2,
):
    """Take the gradient where the loss is locally worst: at w + ρ · g / ‖g‖, and apply it at w."""

    rho: float = hyperparameter(off=0.0, low=0.001, high=2.0, default=0.05, search=(0.01, 0.5), log=True, doc="ρ")

    def kernel(self) -> Kernel:
        return {"sam": self.rho}

    def ascend(self, w: Tree, g: Tree, here: Here) -> Tree:
        rho = torch.as_tensor(self.rho)
        reach = rho / (norm_per_member(g, rho) + 1e-12)
        return {name: pick(rho > 0, w[name] + lead(reach, w[name]) * g[name], w[name]) for name in w}
