"""Mixup."""

import torch
from torch import Tensor

from tauten.technique import Draws, Kernel, Technique, hyperparameter
from tauten.tensors import lead, pick, take_rows


class Mixup(
    Technique,
    name="mixup",
    paper="Zhang et al. 2018, ICLR, arXiv:1710.09412",
    card="alpha 0.1 to 0.4 for images and tables; more blurs the classes. Mixes targets too, so it also smooths "
    "labels: use less label_smoothing beside it. Needs longer training. Costs one gather a batch.",
    data=("tables", "images"),
    after=("trivial_augment",),
    mixes=True,
):
    """Train on mixtures: x ← s·x + (1 − s)·x′ and y ← s·y + (1 − s)·y′, with x′ another row and s ~ Beta(α, α).

    Each row draws its own share s and a partner from a random order of the batch.
    """

    alpha: float = hyperparameter(off=0.0, low=0.01, high=10.0, default=0.2, search=(0.05, 2.0), log=True, doc="α")

    def kernel(self) -> Kernel:
        parts = {f"{x}_{part}_site": f"batch/share/{x}/{part}" for x in "ab" for part in ("normal", "accept", "boost")}
        return {"mixup": self.alpha, "partner_site": "batch/partner", **parts}

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        on = torch.as_tensor(self.alpha > 0)
        partner = r.at("partner").permutation(y.shape[-2])
        share = r.at("share").beta(self.alpha, y)
        mixed = []
        for tensor in (x, y):
            s = lead(share, tensor)
            mixed.append(pick(on, s * tensor + (1 - s) * take_rows(tensor, partner), tensor))
        return mixed[0], mixed[1]
