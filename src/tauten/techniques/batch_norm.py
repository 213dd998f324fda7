"""Batch normalization."""

import torch
from torch import Tensor

from tauten.technique import Kernel, Technique, Tree, hyperparameter


class BatchNorm(
    Technique,
    name="batch_norm",
    paper="Ioffe & Szegedy 2015, ICML, arXiv:1502.03167",
    card="After the linear map and before the activation. Its noise regularizes more at small batches; it allows "
    "higher learning rates and makes the bias before it useless (left out). Needs batches of at least two rows. "
    "Costs a few passes over the activations; at inference it folds into the linear map.",
    practice=("images",),
):
    """Normalize each hidden unit by the batch's mean and variance, then scale by γ and shift by β.

    Evaluation uses running averages: r ← (1 − momentum) · r + momentum · batch, with the unbiased variance.
    """

    momentum: float = hyperparameter(low=0.001, high=1.0, default=0.1, search=(0.1, 0.1), doc="of the running averages")

    epsilon = 1e-5

    def kernel(self) -> Kernel:
        return {"batch_norm": self.momentum}

    def parameters(self, width: int) -> Tree:
        return {"scale": torch.ones(width), "shift": torch.zeros(width)}

    def buffers(self, width: int) -> Tree:
        return {"mean": torch.zeros(width), "variance": torch.ones(width)}

    def normalize(self, h: Tensor, own: Tree, buffers: Tree, training: bool) -> tuple[Tensor, Tree]:
        if not training:
            return self._applied(h - buffers["mean"].unsqueeze(-2), buffers["variance"], own), buffers
        out, mean, inverse = (self._stacked if h.ndim == 3 else self._alone)(h, own)
        variance = (inverse.square().reciprocal() - self.epsilon).clamp_min(0)
        rows, rate = h.shape[-2], torch.as_tensor(self.momentum).unsqueeze(-1)
        return out, {
            "mean": torch.lerp(buffers["mean"], mean, rate),
            "variance": torch.lerp(buffers["variance"], variance * (rows / max(rows - 1, 1)), rate),
        }

    def _applied(self, centred: Tensor, variance: Tensor, own: Tree) -> Tensor:
        scale = own["scale"] * torch.rsqrt(variance + self.epsilon)
        return torch.addcmul(own["shift"].unsqueeze(-2), centred, scale.unsqueeze(-2))

    def _alone(self, h: Tensor, own: Tree) -> tuple[Tensor, Tensor, Tensor]:
        """By torch's own kernel: four times as fast as the formula, operation by operation."""
        return torch.native_batch_norm(h, own["scale"], own["shift"], None, None, True, 0.0, self.epsilon)

    def _stacked(self, h: Tensor, own: Tree) -> tuple[Tensor, Tensor, Tensor]:
        """The same for a stack by torch's own kernel: every unit of every member is a group of one channel."""
        members, rows, width = h.shape
        units, scale, shift = members * width, own["scale"].flatten(), own["shift"].flatten()
        out, mean, inverse = torch.native_group_norm(
            h.mT.reshape(1, units, rows).contiguous(), scale, shift, 1, units, rows, units, self.epsilon
        )
        return out.view(members, width, rows).mT, mean.view(members, width), inverse.view(members, width)
