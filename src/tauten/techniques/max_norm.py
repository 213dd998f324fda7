"""Max-norm constraint."""

import torch
from torch import Tensor

from tauten.technique import Here, Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead, pick


class MaxNorm(
    Technique,
    name="max_norm",
    paper="Srebro & Shraibman 2005, COLT; Srivastava et al. 2014, JMLR 15:1929-1958, §5.1",
    card="0.5 to 1 where weights start as in torch, at a norm near 0.6 a unit; above 2 it hardly ever "
    "binds there (the paper's 3 to 4 belong to other starts). Made for high learning rates together with dropout. "
    "Unlike weight_decay it leaves short weights alone. Outputs are units too. Costs one pass over the weights a step.",
    after=("l1", "weight_decay"),
):
    """After the step, scale the incoming weights w of every unit down to ‖w‖ ≤ c where they are longer."""

    limit: float = hyperparameter(off=0.0, low=0.01, high=100.0, default=0.7, search=(0.3, 2.0), log=True, doc="c")

    def kernel(self) -> Kernel:
        return {"max_norm": self.limit}

    def weights(self, new: Tree, old: Tree, here: Here) -> Tree:
        on, members = torch.as_tensor(self.limit > 0), here.lr.ndim
        bounded = {k: pick(on, self._bounded(new[k], members, unit), new[k]) for k, unit in here.kernels.items()}
        return {**new, **bounded}

    def _bounded(self, w: Tensor, members: int, unit: int) -> Tensor:
        incoming = [axis for axis in range(members, w.ndim) if axis != members + unit]
        norm = w.square().sum(incoming, keepdim=True).sqrt()
        limit = lead(self.limit, w)
        return w * torch.where(norm > limit, limit / norm, 1.0)
