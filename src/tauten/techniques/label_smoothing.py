"""Label smoothing."""

from torch import Tensor

from tauten.technique import Draws, Kernel, Technique, choice, hyperparameter
from tauten.tensors import lead


class LabelSmoothing(
    Technique,
    name="label_smoothing",
    paper="Szegedy et al. 2016, CVPR, arXiv:1512.00567; Müller et al. 2019, arXiv:1906.02629",
    card="0.05 to 0.1. Helps accuracy with noisy labels; can spoil probabilities when labels are clean, so watch the "
    "calibration. Acts after mixup. Costs nothing.",
    after=("mixup", "sentence_mixup"),
    tasks=("classification",),
    practice=("images",),
):
    """Move a share ε of each label's probability to the classes: over `all` K as torch does, or over the `others`.

    `all`: y ← (1 − ε) y + ε / K. `others`: y ← (1 − ε) y + ε (1 − y) / (K − 1), so that 0.1 turns [0, 1, 0] into
    [0.05, 0.9, 0.05].
    """

    epsilon: float = hyperparameter(off=0.0, low=0.001, high=0.9, default=0.1, search=(0.01, 0.3), doc="share moved")
    over: str = choice(default="all", options=("all", "others"), doc="the classes that receive the share")

    def kernel(self) -> Kernel:
        return {"label_smoothing": self.epsilon, "label_smoothing_others": float(self.over == "others")}

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        share, k = lead(self.epsilon, y), y.shape[-1]
        rest = share / k if self.over == "all" else share * (1 - y) / (k - 1)
        return x, (1 - share) * y + rest
