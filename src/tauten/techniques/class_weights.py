"""Class weights."""

from typing import ClassVar

import torch
from torch import Tensor

from tauten.technique import Draws, Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead


class ClassWeights(
    Technique,
    name="class_weights",
    paper="King & Zeng 2001, Political Analysis 9:137-163 (weights by class share)",
    card="1 for rare classes that must be found: it raises recall and balanced accuracy. It tells the network that all "
    "classes are equally frequent, so with log loss, Brier score or accuracy as the metric it hurts by design, and "
    "probabilities come out too high for rare classes. Acts after mixup and label_smoothing. Costs nothing.",
    after=("label_smoothing", "mixup"),
    tasks=("classification",),
):
    """Weigh each class in the cross-entropy: −Σₖ wₖ yₖ log pₖ, wₖ = (n / (K nₖ))ˢ, mean over the rows of the batch.

    n training rows, nₖ of them of class k, K classes among them. s = 1 is scikit-learn's "balanced". A class without
    training rows gets weight 1. torch's `CrossEntropyLoss(weight)` with probabilities as targets is the same.
    """

    strength: float = hyperparameter(off=0.0, low=0.01, high=2.0, default=1.0, search=(0.25, 1.0), doc="s")

    log_rarity: ClassVar[Tensor] = torch.zeros(1)
    """log(n / (K nₖ)), (M?, K); what `learn` found out."""

    @staticmethod
    def learn(targets: Tensor) -> Tree:
        rows = targets.sum(-2, dtype=torch.float64)
        there = rows > 0
        rarity = rows.sum() / (there.sum() * rows)
        return {"log_rarity": torch.where(there, rarity, 1.0).log().to(targets.dtype)}

    def kernel(self) -> Kernel:
        return {"class_weights": tuple(self._weights().tolist())}

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        return x, y * self._weights().unsqueeze(-2)

    def _weights(self) -> Tensor:
        # Not a power, whose bits depend on where in a vector a number stands.
        return torch.exp(lead(self.strength, self.log_rarity) * self.log_rarity)
