"""What techniques share that mix rows of a batch."""

from collections.abc import Callable

import torch
from torch import Tensor

from tauten.draws import Draws
from tauten.tensors import lead, pick, take_rows


def mixing(alpha: float | Tensor, like: Tensor, r: Draws) -> Callable[[Tensor], Tensor]:
    """What mixes the rows of any tensor: each row z becomes s·z + (1 − s)·z′, with a partner z′ and s ~ Beta(α, α).

    Partners are a random order of the rows of `like` (M?, B, K); each row has a share s of its own. Off, at α = 0, a
    tensor comes back to the bit.

    >>> mix = mixing(0.5, torch.zeros(4, 1), Draws(torch.tensor(7), torch.tensor(0), "doctest"))
    >>> bool((mix(torch.eye(4)).sum(-1) - 1).abs().max() < 1e-6)
    True
    """
    partner = r.at("partner").permutation(like.shape[-2])
    share = r.at("share").beta(alpha, like)

    def mix(tensor: Tensor) -> Tensor:
        s = lead(share, tensor)
        return pick(torch.as_tensor(alpha > 0), s * tensor + (1 - s) * take_rows(tensor, partner), tensor)

    return mix
