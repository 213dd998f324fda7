"""What the engines ask of a network, and the pass that lets techniques act inside it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tauten.draws import Draws
from tauten.technique import Technique
from tauten.tensors import Tree


class Pass:
    """One pass through a network: hands its hidden units to the techniques, place by place in the order of calls.

    With `draws` it is a training pass; without, an evaluation, which draws nothing. `shift` (M?, B, N) moves the word
    vectors of texts, as a share of their length.
    """

    def __init__(
        self, techniques: Sequence[Technique], draws: Draws | None, name: str = "", shift: Tensor | None = None
    ) -> None:
        self.training = draws is not None
        self._structural = [t for t in techniques if t.structural()]
        hook = "activation" if self.training else "inference"
        self._acting = [t for t in techniques if hook in t.hooks]
        self._pooling = [t for t in techniques if "pooled" in t.hooks]
        self._draws, self._name, self._shift = draws, name, shift
        self._place = 0
        self._norms = 0

    def activated(self, h: Tensor, place: bool = True) -> Tensor:
        """To be called by the network on every hidden activation; where it is no place, nothing acts on it."""
        return self._acted(h) if place else h

    def dropped(self, h: Tensor, units: tuple[int, ...]) -> Tensor:
        """To be called in the place of a module's own dropout; `units`, broadcast to h, is what has one mask value."""
        if tuple(h.shape) == units or not self._acting:
            return self._acted(h)
        return h * self._acted(h.new_ones(units))

    def pooled(self, h: Tensor) -> Tensor:
        """To be called by a network of text on what stands for each whole text, other columns beside it (M?, B, H)."""
        if self._draws is not None:
            for technique in self._pooling:
                h = technique.pooled(h, self._draws.at(f"{technique.name}/batch"))
        return h

    def disturbed(self, h: Tensor, there: Tensor | float = 1.0) -> Tensor:
        """To be called by a network of text on the vectors of each text's words, or their mean (M?, B, …).

        Nothing moves where `there`, broadcast to h, is 0.
        """
        if self._shift is None:
            return h
        length: Tensor = torch.linalg.vector_norm(h.detach().reshape(self._shift.shape), dim=-1, keepdim=True)
        return h + (self._shift * length).reshape(h.shape) * there

    def _acted(self, h: Tensor) -> Tensor:
        place, self._place = self._place, self._place + 1
        for technique in self._acting:
            local = technique.at_layer(place)
            if self._draws is None:
                h = local.inference(h)
            else:
                h = local.activation(h, self._draws.at(f"{technique.name}/activation/{place}{self._name}"))
        return h

    def normalized(self, h: Tensor, prefix: str, w: Tree, buffers: Tree) -> tuple[Tensor, Tree]:
        """To be called between a linear map and its activation; `prefix` names the layer in w and buffers."""
        place, self._norms = self._norms, self._norms + 1
        for technique in self._structural:
            start = f"{prefix}.{technique.name}."
            own, old = ({k.removeprefix(start): v for k, v in t.items() if k.startswith(start)} for t in (w, buffers))
            h, new = technique.at_layer(place).normalize(h, own, old, self.training)
            buffers = {**buffers, **{start + k: v for k, v in new.items()}}
        return h, buffers


class Trainable(Protocol):
    """What one training step asks of a network: a pure function of its weights and buffers.

    `kernels` are the weights a penalty acts on, each with the axis of its units.
    """

    kernels: dict[str, int]

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs (M?, B, K) for x (M?, B, …), and the buffers after this pass."""
        ...

    def mask(self, w: Tree) -> Tree:
        """Zero whatever is padding; the identity for a network without."""
        ...


@runtime_checkable
class ReadsWords(Protocol):
    """A network that calls `Pass.disturbed`. `tables` are its weights whose rows are vectors of words."""

    tables: tuple[str, ...]

    def undisturbed(self, x: Tensor) -> Tensor:
        """Zeros (M?, B, N): as many as there are numbers in a text's word vectors where they may move."""
        ...


@runtime_checkable
class Net(Trainable, Protocol):
    """What an engine asks of a network besides.

    `layers` counts the hidden activations. `stackable` says whether `forward` takes a leading member axis itself;
    where not, engines map it over members.
    """

    layers: int
    stackable: bool

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Weights and buffers of newly made members, stacked (M, …)."""
        ...

    def unpadded(self, w: Tree) -> Tree:
        """One member's weights or buffers without padding."""
        ...

    def padded(self, w: Tree) -> Tree:
        """The inverse of `unpadded`."""
        ...
