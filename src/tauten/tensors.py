"""Operations that read the same for one member and for a stack of members.

A stack has a leading member axis; one member has none. A per-member value is therefore (M,) or 0-d, and what
follows needs no flag to tell the two apart.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

Tree = dict[str, Tensor]
"""Named tensors: weights, buffers, gradients or a technique's state."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch's own threading off, for operations too short to share: on a busy machine threads wait for each other.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def lead(value: float | Tensor, like: Tensor) -> Tensor:
    """Shape a per-member value so that it broadcasts against `like`.

    Shapes: (M,) against (M, …) gives (M, 1, …); 0-d against anything gives 1s only.

    >>> lead(torch.tensor([1.0, 2.0]), torch.zeros(2, 5, 3)).shape
    torch.Size([2, 1, 1])
    """
    tensor = torch.as_tensor(value, dtype=like.dtype if like.is_floating_point() else None, device=like.device)
    return tensor.reshape(tensor.shape + (1,) * (like.ndim - tensor.ndim))


def pick(on: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` for the members where `on`, else `b`, exactly: what is not picked can't leak, not even as NaN or infinity."""
    if on.ndim == 1 and on.device.type == "cpu" and a.shape == b.shape and not is_functorch_wrapped_tensor(on):
        # Nothing to wait for here, so look: torch's `where` goes element by element, several times slower than a copy.
        answers = on.tolist()
        if len(set(answers)) == 1:
            return a if answers[0] else b
        return torch.stack([one if answer else other for answer, one, other in zip(answers, a, b, strict=True)])
    return torch.where(on.reshape(on.shape + (1,) * (a.ndim - on.ndim)), a, b)


def pick_tree(on: Tensor, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tree:
    """`pick` over every leaf."""
    return {name: pick(on, a[name], b[name]) for name in a}


def map_tree(f: Callable[..., Tensor], *trees: Mapping[str, Tensor]) -> Tree:
    """Apply `f` leaf by leaf."""
    return {name: f(*(tree[name] for tree in trees)) for name in trees[0]}


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Each member's own choice of rows.

    Shapes: x (M, B, …) with rows (M, R), or x (B, …) with rows (R,); gives (M, R, …) or (R, …).
    """
    if rows.ndim == 1:
        return x.index_select(0, rows)
    # Whole rows at once: a gather goes element by element, some twenty times slower.
    start = torch.arange(len(x), device=rows.device).unsqueeze(-1) * x.shape[1]
    return x.flatten(0, 1).index_select(0, (rows + start).flatten()).reshape(*rows.shape, *x.shape[2:])


class _Product(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(h: Tensor, w: Tensor) -> Tensor:
        return (w.mT @ h.mT).mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor]:
        h, w = ctx.saved_tensors
        return (w @ g.mT).mT if ctx.needs_input_grad[0] else None, h.mT @ g


def product(h: Tensor, w: Tensor) -> Tensor:
    """h (M?, B, I) times w (M?, I, O), its rows next to each other in memory, as (M?, O, B) would have them.

    So a unit's values in a batch are one stretch: what acts on them, forward and backward, reads and writes whole
    vectors. The gradient of h lies like the result, that of w as w does.
    """
    apply: Callable[[Tensor, Tensor], Tensor] = _Product.apply
    return apply(h, w)


def sum_per_member(x: Tensor, like: Tensor) -> Tensor:
    """Sum everything but the member axis, which is there when `like`, a per-member value, has one."""
    return x.flatten(like.ndim).sum(-1)


def norm_per_member(tree: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """Euclidean norm over all leaves together, one per member."""
    total = torch.zeros_like(like)
    for leaf in tree.values():
        total = total + sum_per_member(leaf * leaf, like)
    return total.sqrt()
