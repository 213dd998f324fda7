"""Places of texts rearranged: packed to the left, exchanged, shifted; and one of several alternatives taken.

A place is one of L; `source` (M?, B, L) int64 says for each place from which one it is filled, their number for from
none. What is known of places comes as planes (M?, B, A, L), all filled alike. Shapes never depend on what texts hold.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def there(tokens: Tensor) -> Tensor:
    """Where words stand (M?, B, L), of planes whose first holds them (M?, B, A, L)."""
    return tokens[..., 0, :] > 0


def filled(planes: Tensor, source: Tensor) -> Tensor:
    """Planes (M?, B, A, L) whose places are filled from others; 0 where from none.

    >>> filled(torch.tensor([[[7, 8, 9]]]), torch.tensor([[2, 3, 0]])).tolist()
    [[[9, 0, 7]]]
    """
    index = source.unsqueeze(-2).expand(*source.shape[:-1], planes.shape[-2], source.shape[-1])
    return F.pad(planes, (0, 1)).gather(-1, index)


def packed(kept: Tensor) -> Tensor:
    """The source that closes up to the left what is kept (M?, B, L), in its order.

    >>> packed(torch.tensor([[True, False, True]])).tolist()
    [[0, 2, 3]]
    """
    size = kept.shape[-1]
    return _sent(torch.where(kept, kept.cumsum(-1) - 1, size), size)


def paired(keys: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """The source that exchanges words in pairs, and each place's number of its pair; both (M?, B, L).

    Pairs are neighbours in the order of `keys`, below 1, so random where these are; an odd word is its own partner.

    >>> paired(torch.tensor([[0.2, 0.9, 0.1, 0.5, 0.3]]), torch.tensor([[True, True, True, True, False]]))[0].tolist()
    [[2, 3, 0, 1, 4]]
    """
    order = torch.where(words, keys, 1.0).argsort(stable=True, dim=-1)
    rank = order.argsort(-1)
    partner = rank ^ 1
    both = words & (partner < words.sum(-1, keepdim=True))
    return order.gather(-1, torch.where(both, partner, rank)), rank // 2


def inserted(planes: Tensor, new: Tensor, on: Tensor) -> Tensor:
    """Planes with a new word before the places where `on` (M?, B, L); the others move on, beyond the last are lost.

    `new` (M?, B, 1, L) are ids; of a new word nothing but its id is known.

    >>> on = torch.tensor([[False, True, False]])
    >>> inserted(torch.tensor([[[7, 8, 0]]]), torch.tensor([[[1, 2, 3]]]), on).tolist()
    [[[7, 2, 8]]]
    """
    size = on.shape[-1]
    old = torch.arange(size, device=on.device) + on.cumsum(-1)
    source = _sent(torch.cat((old, torch.where(on, old - 1, size)), -1), size)
    return filled(torch.cat((planes, F.pad(new, (0, 0, 0, planes.shape[-2] - 1))), -1), source)


def one_of(alternatives: Tensor, u: Tensor) -> Tensor:
    """Of each place's alternatives (M?, B, S, L), which come first, one by u on [0, 1) (M?, B, 1, L); 0 of none.

    >>> one_of(torch.tensor([[[5, 6], [7, 0]]]), torch.tensor([[[0.6, 0.6]]])).tolist()
    [[[7, 6]]]
    """
    count = (alternatives > 0).sum(-2, keepdim=True)
    return alternatives.gather(-2, (u * count).to(torch.int64))


def nth(kept: Tensor, u: Tensor) -> Tensor:
    """The place of one of those that are kept (M?, B, L), by u on [0, 1) (M?, B, L); L where none is.

    >>> nth(torch.tensor([[False, True, False, True]]), torch.tensor([[0.4, 0.6, 0.0, 0.9]])).tolist()
    [[1, 3, 1, 3]]
    """
    return packed(kept).gather(-1, (u * kept.sum(-1, keepdim=True)).to(torch.int64))


def _sent(to: Tensor, size: int) -> Tensor:
    """The source (M?, B, size) that sends each of T places to another one, `to` (M?, B, T); `size` is nowhere."""
    every = to.shape[-1]
    empty = torch.full_like(to[..., :1].expand(*to.shape[:-1], size + 1), every)
    return empty.scatter(-1, to.clamp(max=size), torch.arange(every, device=to.device).expand(to.shape))[..., :size]
