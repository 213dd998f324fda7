"""What the laws are run on: small problems, engines for them, and what members deliver."""

import math
from collections.abc import Sequence

import torch

from tauten.engines.native import NativeEngine, able
from tauten.engines.single import Single
from tauten.engines.slots import Lift, Resident, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.member import Delivered, Group, Member, Source, one_hot
from tauten.nets.built_in import TEXT, built_in
from tauten.nets.mlp import MLP
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.tensors import Tree
from tauten.text.layout import TextLayout

SIZES = ((23, 5, 3, 7, 2), (48, 16, 2, 16, 1), (37, 13, 5, 21, 3))
"""(rows, inputs, outputs, width, depth): odd ones and a round one."""
Kind = type[Technique]


def problem(
    rows: int,
    inputs: int | tuple[int, ...],
    outputs: int,
    task: str,
    seed: int = 0,
    weighted: bool = False,
    data: str = "tables",
) -> Source:
    """A small random problem; the first four fifths of its rows are trained on. Some rows' weights are 0.

    `inputs` is the shape of a row; of one number, images have three channels, as many rows of pixels and 7 columns, and
    texts as many words at most, with alternatives of each and two numbers beside them.
    """
    g = torch.Generator().manual_seed(seed)
    shape = inputs if isinstance(inputs, tuple) else (3, inputs, 7) if data == "images" else (inputs,)
    layout = (
        TextLayout(math.prod(shape), ids=40, synonyms=2, typos=1, translations=1, features=2)
        if data == "text"
        else None
    )
    x = torch.randn(rows, *shape, generator=g) if layout is None else _texts(rows, layout, g)
    if task == "classification":
        y = one_hot(torch.randint(outputs, (rows,), generator=g), outputs)
    elif task == "multilabel":
        y = torch.randint(2, (rows, outputs), generator=g).to(torch.float32)
    else:
        y = torch.randn(rows, outputs, generator=g)
    weights = torch.rand(rows, generator=g).sub(0.2).clamp(min=0) * 3 if weighted else None
    return Source(x, y, torch.arange(rows * 4 // 5), task, weights, layout=layout)


def _texts(rows: int, layout: TextLayout, g: torch.Generator) -> torch.Tensor:
    """Rows of random words, of any length from 1."""
    x = torch.randint(1, layout.ids, (rows, layout.planes, layout.length), generator=g).to(torch.float32)
    ends = torch.randint(1, layout.length + 1, (rows, 1, 1), generator=g)
    x = torch.where(torch.arange(layout.length) < ends, x, 0.0)
    x[:, -layout.trailing :] = 4 * torch.randn(rows, layout.trailing, layout.length, generator=g)
    return x


def small_setting(width: int, depth: int, optimizer: str = "adamw", **values: object) -> Setting:
    """A setting for the laws: a few rows a batch, a few steps."""
    base = {"optimizer": optimizer, "width": width, "depth": depth, "batch_size": 8, "epochs": 4}
    return Setting.from_dict({**base, "learning_rate": 0.01, **values})


NATIVE, CONVNET, BAG, BIGRAMS, KIM = "native", "convnet", "bag", "bigrams", "kim"
"""The first stands for the native engine where the others are named by their lift."""


def engine_for(
    first: Member, sources: Sequence[Source], lift: Lift | str, capacity: int = 8
) -> SlotEngine | NativeEngine:
    """An engine for the group of a member, on the built-in network."""
    recipe, source = first.recipe, sources[first.source]
    structure = [t for t in recipe.techniques if t.structural()]
    net = built_in(source.inputs.shape[1:], source.targets.shape[1], recipe.setting, structure, layout=source.layout)
    group, data = Group.of(first, source), Resident(sources)
    if isinstance(lift, str):
        assert isinstance(net, MLP), "the native engine trains this one only"
        return NativeEngine(group, net, data)
    return SlotEngine(group, net, data, lift, capacity)


def engines(technique: Technique, net: str = "mlp") -> list[Lift | str]:
    """The engines on which every law must hold: stacked, and native where it has code; convolutions one at a time."""
    if net in (CONVNET, KIM):
        return [Single()]
    return [Stacked(), *([NATIVE] if net == "mlp" and able(Recipe((technique,))) else [])]


def trained(
    members: Sequence[Member], source: Source, lift: Lift | str, steps: int, slots: int = 8
) -> dict[int, Delivered]:
    """What members of one group deliver after so many steps together."""
    engine = engine_for(members[0], [source], lift, slots)
    engine.admit(members)
    engine.run(steps)
    return {m.id: engine.extract(m.id) for m in members}


def same_bits(a: Delivered, b: Delivered) -> bool:
    """Equality to the bit over weights and buffers; NaN equals NaN."""
    return all(
        x.keys() == y.keys() and all(torch.equal(x[k].nan_to_num(7e7), y[k].nan_to_num(7e7)) for k in x)
        for x, y in ((a.w, b.w), (a.buffers, b.buffers))
    )


def distance(a: Tree, b: Tree) -> float:
    """Largest absolute difference over all leaves."""
    return max(float((a[k].float() - b[k].float()).abs().max()) for k in a)


def cases(kind: Kind, odd: bool = False) -> list[tuple[str, str]]:
    """The data and networks on which the laws must hold; `odd` leaves out the convolutions, which take their time.

    The MLP meets all data that a technique is for where it changes batches, else the first; of the networks of text
    the convolutions and the cheapest other one that the technique can act on.
    """
    flat = [data for data in kind.data if data != "text"]
    own = flat if kind.hooks & {"warp", "batch"} else flat[:1]
    further = {"images": [CONVNET], "text": [KIM]} if not odd else {}
    words = [("text", net) for net in (BAG, BIGRAMS) if net in (kind.nets or TEXT)][:1] if "text" in kind.data else []
    return (
        [(data, "mlp") for data in own] + words + [(data, net) for data in kind.data for net in further.get(data, [])]
    )


def variants(kind: Kind) -> list[Technique]:
    """The technique at its card's values, and once for every other choice."""
    others = [
        kind.from_dict({key: option})
        for key, spec in kind.choices().items()
        for option in spec.options
        if option != spec.default
    ]
    return [kind(), *others]
