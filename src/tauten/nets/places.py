"""Where techniques act in a module: its own dropout layers where it has some, else after its hidden activations.

A module's own dropout never draws: its places are taken over, and what acts there is up to the recipe.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.overrides import TorchFunctionMode

from tauten.nets.base import Pass

ACTIVATIONS = frozenset(
    {
        F.relu, F.gelu, F.silu, F.elu, F.selu, F.leaky_relu, F.mish, F.hardswish, F.celu, F.softplus, F.relu6,
        torch.relu, torch.tanh, torch.sigmoid, torch.selu, Tensor.relu, Tensor.tanh, Tensor.sigmoid,
    }
)  # fmt: skip
CHANNELS = frozenset({F.dropout1d, F.dropout2d, F.dropout3d})
DROPOUTS = frozenset({F.dropout, torch.dropout}) | CHANNELS
DEFAULT_RATE = 0.5
"""Of torch's dropout functions."""
INSIDE = frozenset(
    {
        F.multi_head_attention_forward, F.scaled_dot_product_attention,
        torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu,
    }
)  # fmt: skip
"""What drops out in the middle of its own code, where nothing can be put in its place: there it is switched off."""
BATCH_NORMS = nn.modules.batchnorm._BatchNorm


def is_drop_path(module: nn.Module) -> bool:
    """Whether it is timm's layer that drops a residual branch for a row, or one written like it."""
    return type(module).__name__ == "DropPath" and isinstance(vars(module).get("drop_prob"), float | int)


def units_of(func: Callable[..., Any], h: Tensor) -> tuple[int, ...]:
    """The shape of a dropout layer's mask: of h, but 1 where a whole channel (B, C, …) has one."""
    if func not in CHANNELS:
        return tuple(h.shape)
    return (*h.shape[:2], *[1] * (h.ndim - 2))


class Places(TorchFunctionMode):
    """Hands every place of a forward pass to a `Pass`, in the order of the calls.

    It sees the functions, so layers (`nn.ReLU`, `nn.Dropout`) and functions (`F.relu`, `x.relu()`, `F.dropout`) are met
    alike, once each. `own`: the module has dropout places of its own, so activations are none.
    """

    def __init__(self, at: Pass, own: bool) -> None:
        super().__init__()
        self._at, self._own = at, own

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in DROPOUTS:
            h = args[0] if args else given["input"]
            rate = args[1] if len(args) > 1 else given.get("p", DEFAULT_RATE)
            return self.dropped(h, units_of(func, h), rate, func.__name__)
        if func is torch._nested_tensor_from_mask_left_aligned:
            # `nn.TransformerEncoder` asks before a shortcut of evaluation, which is closed where functions are watched;
            # torch has no answer for a stack.
            return False
        if func in INSIDE:
            return self.inside(func, args, given)
        out = func(*args, **given)
        return self.activated(out, func.__name__) if func in ACTIVATIONS else out

    def activated(self, h: Tensor, name: str) -> Tensor:
        """A hidden activation; `name` is the function's."""
        return self._at.activated(h, not self._own)

    def dropped(self, h: Tensor, units: tuple[int, ...], rate: float, name: str) -> Tensor:
        """A dropout layer of the module's own, which `rate` was meant for."""
        return self._at.dropped(h, units)

    def per_row(self, h: Tensor, rate: float) -> Tensor:
        """A drop path of the module's own."""
        return self.dropped(h, (len(h), *[1] * (h.ndim - 1)), rate, "DropPath")

    def inside(self, func: Callable[..., Any], args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        """A call with the rate set to 0: of the arguments that come by place, it is the only one with a fraction."""
        args = tuple(0.0 if type(value) is float else value for value in args)
        given = {key: 0.0 if key == "dropout_p" else value for key, value in given.items()}
        if not is_functorch_wrapped_tensor(args[0] if args else given["query"]):
            return func(*args, **given)
        # Torch's fused attention knows no stacks, its formula does.
        if func is F.scaled_dot_product_attention:
            return _attention(*args, **given)
        if func is F.multi_head_attention_forward:
            out, weights = func(*args, **{**given, "need_weights": True})
            return out, weights if given.get("need_weights", True) else None
        return func(*args, **given)


@contextmanager
def acting(module: nn.Module, places: Places) -> Iterator[None]:
    """For the passes inside, the module's places are those of `places`."""
    paths = [m for m in module.modules() if is_drop_path(m)]
    try:
        for path in paths:
            vars(path)["forward"] = partial(places.per_row, rate=float(vars(path)["drop_prob"]))
        with places:
            yield
    finally:
        for path in paths:
            del vars(path)["forward"]


def set_mode(module: nn.Module, training: bool) -> None:
    """Training or evaluation mode; a batch norm that is frozen stays in evaluation mode, or its buffers would move."""
    module.train(training)
    for layer in frozen_norms(module) if training else ():
        layer.eval()


def frozen_norms(module: nn.Module) -> list[nn.Module]:
    """Batch norm layers none of whose parameters is trained."""
    norms = [m for m in module.modules() if isinstance(m, BATCH_NORMS) and m.affine]
    return [m for m in norms if not any(p.requires_grad for p in m.parameters())]


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Softmax of scaled products, times the values (Vaswani et al. 2017), with the arguments of torch's own."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        far = scores.new_full((), -torch.inf)
        scores = torch.where(attn_mask, scores, far) if attn_mask.dtype == torch.bool else scores + attn_mask
    return torch.softmax(scores, -1) @ value
