"""Clipping of the gradient by its norm."""

import torch

from tauten.technique import Here, Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead, norm_per_member, pick


class ClipNorm(
    Technique,
    name="clip_norm",
    paper="Pascanu, Mikolov & Bengio 2013, ICML, arXiv:1211.5063",
    card="1.0; 0.1 to 10. Saves training from a rare steep batch and allows higher learning rates. Adam divides by the "
    "gradient's own size, so there it only evens out the steps; it says most under SGD. Costs one pass over the "
    "gradients a step.",
    after=("adversarial_words",),
):
    """Scale the gradient g of all weights together by min(1, c / (‖g‖ + 1e-6)), as torch's `clip_grad_norm_` does."""

    limit: float = hyperparameter(off=0.0, low=0.001, high=100.0, default=1.0, search=(0.1, 10.0), log=True, doc="c")

    def kernel(self) -> Kernel:
        return {"clip_norm": self.limit}

    def gradient(self, g: Tree, w: Tree, here: Here) -> Tree:
        limit = torch.as_tensor(self.limit)
        scale = torch.clamp_max(limit / (norm_per_member(g, here.lr) + 1e-6), 1.0)
        return {name: pick(limit > 0, lead(scale, leaf) * leaf, leaf) for name, leaf in g.items()}
