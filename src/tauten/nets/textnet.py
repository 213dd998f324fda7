"""The built-in networks of text, native to populations: averaged word vectors, and convolutions over words."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from tauten.nets.base import Pass
from tauten.nets.layers import stacked, structural_parts, uniform_start
from tauten.nets.mlp import ACTIVATIONS, MLP
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.tensors import Tree, product
from tauten.text.layout import TextLayout
from tauten.wording import ids_of, numbers_of

WIDE = 32
"""Numbers of a word's vector."""
PAIRS = 2**14
"""Vectors that all pairs of neighbouring words share, by their hash."""
PAIR = 0.3
"""What a pair weighs beside a word. Most pairs are rare, and Adam's steps are as long for them as for frequent words:
at a weight of 1 all of SST-2's reviews are told apart worse than by words alone (78.7 against 80.4 % of the test part,
two or three trainings), at 0.3 about as well (80.9 against 80.0), while TREC's questions gain (86.8 to 89.8)."""
SEEN = 2**18
"""Marks of the pairs that a network was trained on, by another hash. A pair that it never met would bring the vector of
others: without marks SST-2 loses 1.1 points at 500 texts, 1.0 at 2,000 and .7 at 6,917, TREC .2 to .3 (accuracy)."""
WINDOWS = (3, 4, 5)
TABLE = "embedding.weight"


class _TextNet:
    """What both have in common: a table of word vectors (ids, 32) below an MLP, whose hidden places come last.

    Vectors start uniform within ±1/32, as in fastText. A table's units are its words, as in `torch.nn.Embedding`. Adam
    steps the vectors of those words alone that have a gradient: see `tauten.optim.step`.
    """

    tables = (TABLE,)

    def __init__(self, rows: int, layout: TextLayout, head: MLP) -> None:
        self.layout, self.head, self.outputs = layout, head, head.outputs
        self._shapes: dict[str, tuple[int, ...]] = {TABLE: (rows, WIDE)}
        self._fans = {TABLE: WIDE**2}
        self._layers: list[tuple[str, int]] = []
        self._structure: tuple[Technique, ...] = ()
        self.kernels = {TABLE: 0} | head.kernels
        self._moving = WIDE

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Fresh weights and buffers, stacked (M, …)."""
        w, buffers = self.head.init(seeds)
        own, further = structural_parts(self._structure, self._layers)
        fresh = uniform_start(self._shapes, self._fans, seeds) | stacked(own, len(seeds))
        return fresh | w, stacked(further, len(seeds)) | buffers

    def mask(self, w: Tree) -> Tree:
        """The head's padding set to zero again."""
        own = self._own(w)
        return own | self.head.mask({k: v for k, v in w.items() if k not in own})

    def unpadded(self, w: Tree) -> Tree:
        """One member's tensors at their logical shapes."""
        own = {k: v.clone() for k, v in self._own(w).items()}
        return own | self.head.unpadded({k: v for k, v in w.items() if k not in own})

    def padded(self, w: Tree) -> Tree:
        """The inverse of `unpadded`."""
        own = self._own(w)
        return own | self.head.padded({k: v for k, v in w.items() if k not in own})

    def _own(self, w: Tree) -> Tree:
        return {k: v for k, v in w.items() if k.split(".")[0] not in self.head.names}

    def undisturbed(self, x: Tensor) -> Tensor:
        """As of every network that reads words."""
        return x.new_zeros(*x.shape[:-2], self._moving)

    def _headed(self, w: Tree, buffers: Tree, h: Tensor, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs of the head for sentence vectors h and the numbers of the other columns."""
        if self.layout.features:
            h = torch.cat((h, numbers_of(x, self.layout)), -1)
        return self.head.forward(w, buffers, at.pooled(h), at)


class Bag(_TextNet):
    """The mean of the vectors of a text's words, then an MLP: a deep averaging network.

    Source: Iyyer et al. 2015, ACL, aclanthology.org/P15-1162. The MLP has `depth` hidden layers of `width` units and
    reads the other columns beside the mean, which is the first place where techniques act.

    Shapes: x (M?, B, P, L) as `TextLayout` says gives (M?, B, outputs).
    """

    stackable = True
    pairs = 0

    def __init__(self, layout: TextLayout, outputs: int, setting: Setting, structure: Sequence[Technique] = ()) -> None:
        super().__init__(layout.ids + self.pairs, layout, MLP(WIDE + layout.features, outputs, setting, structure))
        self.layers = 1 + self.head.layers

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs for a batch; `at` lets techniques act on the way."""
        mean, buffers = self._mean(w[TABLE], buffers, ids_of(x), at)
        return self._headed(w, buffers, at.activated(at.disturbed(mean)), x, at)

    def _mean(self, table: Tensor, buffers: Tree, words: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Sentence vectors (M?, B, 32) of ids (M?, B, L), and the buffers after."""
        return summed(table, words, share(words)), buffers


class Bigrams(Bag):
    """`Bag` with the mean of the pairs of neighbouring words, at `PAIR` of its length, added to that of the words.

    Source: Joulin et al. 2017, EACL, arXiv:1607.01759, who give pairs the weight of words. Pairs share 16,384
    vectors by a hash of their two words, so a step costs twice as much or more; outside training a pair counts only
    where it was met in training. Order tells in questions, for one.
    """

    pairs = PAIRS

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Fresh weights and buffers, stacked (M, …)."""
        w, buffers = super().init(seeds)
        return w, buffers | {"seen": torch.zeros(len(seeds), SEEN, dtype=torch.bool)}

    def _mean(self, table: Tensor, buffers: Tree, words: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        first, second = words[..., :-1], words[..., 1:]
        mixed = (first * 0x9E3779B1 + second) * 0x85EBCA6B % 2**32
        both = torch.where((first > 0) & (second > 0), self.layout.ids + mixed // (2**32 // PAIRS), 0)
        shares, marks = share(both), (mixed * 0xC2B2AE35 % 2**32 // (2**32 // SEEN)).flatten(-2)
        if at.training:
            buffers = buffers | {"seen": buffers["seen"].scatter(-1, marks, True)}
        else:
            both = both * buffers["seen"].gather(-1, marks).view_as(both)
        ids, weight = torch.cat((words, both), -1), torch.cat((share(words), PAIR * shares), -1)
        return summed(table, ids, weight), buffers


class Kim(_TextNet):
    """Convolutions over 3, 4 and 5 neighbouring words' vectors, each filter's maximum over the text, then an MLP.

    Source: Kim 2014, EMNLP, arXiv:1408.5882; vectors start at random. Each window has a third of `width` filters. They
    are the first of `depth` hidden layers: at depth 1 what follows is linear, which is Kim's network. The other columns
    go into the MLP. A place without a word is a vector of zeros.

    Shapes: x (M?, B, P, L) as `TextLayout` says gives (M?, B, outputs).
    """

    stackable = True

    def __init__(self, layout: TextLayout, outputs: int, setting: Setting, structure: Sequence[Technique] = ()) -> None:
        filters = max(setting.width // len(WINDOWS), 1)
        below = setting.to_dict() | {"depth": max(setting.depth - 1, 0)}
        wide = len(WINDOWS) * filters + layout.features
        super().__init__(layout.ids, layout, MLP(wide, outputs, Setting.from_dict(below), structure))
        self._moving = (layout.length + WINDOWS[-1] - 1) * WIDE
        for window in WINDOWS:
            self._layers.append((f"window{window}", filters))
            self._shapes[f"window{window}.weight"] = (window * WIDE, filters)
            if not structure:
                self._shapes[f"window{window}.bias"] = (filters,)
        self._fans |= {k: int(k[6]) * WIDE for k in self._shapes if k != TABLE}
        self.kernels |= {f"{name}.weight": 1 for name, _ in self._layers}
        self._structure, self._act = tuple(structure), ACTIVATIONS[setting.activation]
        self.layers = 1 + self.head.layers

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs for a batch; `at` lets techniques act on the way."""
        words = F.pad(ids_of(x), (0, WINDOWS[-1] - 1))
        there = (words > 0).unsqueeze(-1)
        vectors = at.disturbed(gathered(w[TABLE], words) * there, there)
        highest = []
        for window, (name, _) in zip(WINDOWS, self._layers, strict=True):
            places = words.shape[-1] - window + 1
            rows = torch.cat([vectors[..., i : i + places, :] for i in range(window)], -1)
            z = product(rows.flatten(-3, -2), w[f"{name}.weight"])
            if self._structure:
                z, buffers = at.normalized(z, name, w, buffers)
            else:
                z = z + w[f"{name}.bias"].unsqueeze(-2)
            highest.append(z.mT.reshape(*z.mT.shape[:-1], -1, places).amax(-1).mT)
        # Of an activation that rises everywhere the maximum is the same before and after, and here it is cheaper.
        return self._headed(w, buffers, at.activated(self._act(torch.cat(highest, -1))), x, at)


class _Gathered(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(table: Tensor, ids: Tensor) -> Tensor:
        flat = ids.flatten()
        return table.index_select(0, flat).reshape(*ids.shape, table.shape[-1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        table, ids = inputs
        ctx.save_for_backward(ids)
        ctx.rows = len(table)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        # One row of the table after the other: torch's own gradient of an embedding takes twice as long.
        return g.new_zeros(ctx.rows, g.shape[-1]).index_add(0, ids.flatten(), g.reshape(-1, g.shape[-1])), None


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(table: Tensor, ids: Tensor, text: Tensor, counts: Tensor, weight: Tensor) -> Tensor:
        return F.embedding_bag(ids, table, counts.cumsum(0) - counts, mode="sum", per_sample_weights=weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        table, ids, text, _, weight = inputs
        ctx.save_for_backward(ids, text, weight)
        ctx.rows = len(table)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        ids, text, weight = ctx.saved_tensors
        each = g.index_select(0, text).mul_(weight.unsqueeze(-1))
        return g.new_zeros(ctx.rows, g.shape[-1]).index_add_(0, ids, each), None, None, None, None


def share(ids: Tensor) -> Tensor:
    """What each id (M?, B, T) weighs in the mean of those of its text that are not 0."""
    there = ids > 0
    return there / there.sum(-1, keepdim=True).clamp_min(1)


def summed(table: Tensor, ids: Tensor, weight: Tensor) -> Tensor:
    """The sum, by `weight` (M?, B, T), of those rows of a table (M?, V, E) that a text names by ids (M?, B, T), 0 for
    none: (M?, B, E)."""
    if is_functorch_wrapped_tensor(table) or is_functorch_wrapped_tensor(ids):
        # Under vmap no shape may depend on what texts hold.
        return (gathered(table, ids) * (weight * (ids > 0)).unsqueeze(-1)).sum(-2)
    # Most places are padding: only what is there is read, several times as fast.
    there = ids.flatten().nonzero().squeeze(-1)
    named = _from(table, ids).flatten().index_select(0, there)
    counts, own = (ids > 0).sum(-1), weight.flatten().index_select(0, there)
    apply: Any = _Summed.apply
    total: Tensor = apply(table.flatten(0, -2), named, there // ids.shape[-1], counts.flatten(), own)
    return total.reshape(*counts.shape, -1)


def _from(table: Tensor, ids: Tensor) -> Tensor:
    """Ids as rows of all members' tables, one behind the other."""
    if table.ndim == 2:
        return ids
    return ids + (torch.arange(len(table), device=ids.device) * table.shape[1]).reshape(-1, 1, 1)


def gathered(table: Tensor, ids: Tensor) -> Tensor:
    """Rows of a table (M?, V, E) by their ids (M?, B, T), each member's of its own: (M?, B, T, E)."""
    apply: Any = _Gathered.apply
    vectors: Tensor = apply(table.flatten(0, -2), _from(table, ids))
    return vectors
