"""What Tauten would do to a network of one's own: read before any training."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tauten.data import Layout, given
from tauten.data.columns import counted
from tauten.errors import OptionError
from tauten.nets.encoder import PretrainedEncoder
from tauten.nets.kinds import DECAYS, FROZEN, kinds_of, tied
from tauten.nets.module import ModuleNet
from tauten.nets.places import BATCH_NORMS, frozen_norms
from tauten.nets.preflight import Survey
from tauten.networks import Build, load_builder, read_by
from tauten.options import Options, parse_columns
from tauten.partners import data_of
from tauten.sources import table_of
from tauten.technique import Technique, techniques
from tauten.text.layout import TextLayout

SITES = {
    "pooled": "nowhere: only in Tauten's own networks of text",
    "disturb": "nowhere: only in Tauten's own networks of text",
    "normalize": "nowhere by a recipe: only where your network has layers of its own for it",
    "warp": "on every batch of images, before the network",
    "batch": "on every batch, before the network",
    "activation": "at {places}",
    "ascend": "on the gradient, taken a second time on the same batch",
    "gradient": "on the gradient of all that is trained",
    "loss": "in the loss; of the weights, on those that decay",
    "weights": "on the weights that decay, after every step",
    "deliver": "on what is delivered: a mean of weights and buffers",
    "stop": "on how long is trained",
}
"""Where a technique acts by its first hook among these."""
MEANINGS = {
    DECAYS: "decays",
    FROZEN: "frozen: stays to the bit",
    "norm": "a norm's: no decay",
    "bias": "one axis, as a bias: no decay",
    "added": "added to every row, as a bias: no decay",
    "length": "a length of weight norm: no decay",
}
KNOWN = {
    "batch norm": BATCH_NORMS,
    "weight norm": nn.utils.parametrizations._WeightNorm,
    "spectral norm": nn.utils.parametrizations._SpectralNorm,
}
SHOWN = 4
"""So many numbers of layers are told one by one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """A network as Tauten sees it; `print` shows it.

    `layout` says what the planes of texts hold, and is None of other data, whose rows have the shape `input`; of texts
    a module reads ids and the other columns. `survey` holds the places; `kinds` each parameter's kind, `shapes` its
    shape, `ties` further names of a parameter; `regularized` the layers that regularize by themselves; `acts` where
    each technique for such data would act; `obstacle` why members can't be stacked, None where they are, in batches of
    up to `stacked_rows`; `first` the techniques at the module's own rates, tried first.
    """

    name: str
    input: tuple[int, ...]
    layout: TextLayout | None
    outputs: int
    survey: Survey
    kinds: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    ties: dict[str, str]
    regularized: dict[str, list[str]]
    acts: dict[str, str]
    obstacle: str | None
    stacked_rows: int
    first: tuple[Technique, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        found = self.survey
        return {
            "network": self.name,
            "input": list(self.input),
            "layout": None if self.layout is None else dataclasses.asdict(self.layout),
            "outputs": self.outputs,
            "places": [dataclasses.asdict(place) for place in found.places],
            "activations_without": [dataclasses.asdict(place) for place in found.activations],
            "switched_off": [{"layer": p.layer, "call": p.call, "rate": p.rate} for p in found.inside],
            "parameters": [
                {"name": name, "shape": list(self.shapes[name]), "kind": kind, "decays": kind == DECAYS}
                for name, kind in self.kinds.items()
            ],
            "ties": self.ties,
            "regularized": self.regularized,
            "techniques": self.acts,
            "stacked": self.obstacle is None,
            "stacked_rows": self.stacked_rows,
            "obstacle": self.obstacle,
            "first_recipe": {t.name: t.to_dict() for t in self.first},
        }

    def sections(self) -> dict[str, list[str]]:
        """What a person reads, lines by heading."""
        count = {name: torch.Size(shape).numel() for name, shape in self.shapes.items()}
        frozen = sum(n for name, n in count.items() if self.kinds[name] == FROZEN)
        total = f"{sum(count.values()) - frozen:,} weights trained, {frozen:,} frozen"
        return {
            f"{self.name}: input {self._read()}, {self.outputs} outputs, {total}": [],
            "Training": [self._training()],
            "Dropout's places": list(self._places()),
            "Parameters: their shape, how many, and whether weight decay acts": list(self._parameters(count)),
            "Regularized already": [f"{what}: {_listed(where)}" for what, where in self.regularized.items()]
            or ["nothing that Tauten knows"],
            "Techniques": _table([[name, act] for name, act in self.acts.items()]),
        }

    def __str__(self) -> str:
        parts = []
        for heading, lines in self.sections().items():
            parts.append("\n".join([heading, *(f"  {line}" for line in lines)]))
        return "\n\n".join(parts)

    def _read(self) -> str:
        if self.layout is None:
            return _size(self.input)
        beside = f" and {counted(self.layout.features, 'number')}" if self.layout.features else ""
        return f"{self.layout.length} ids below {self.layout.ids:,}{beside}"

    def _training(self) -> str:
        if self.obstacle is None:
            rows = f"{self.stacked_rows:,} rows"
            return f"members are stacked and trained together while a batch has at most {rows}; beyond, it pays no more"
        return f"members train one at a time, in the same race: the module can't be stacked: {self.obstacle}"

    def _places(self) -> Iterator[str]:
        found = self.survey
        if not found.places:
            yield "none: the module calls no activation that Tauten knows, such as nn.ReLU, and no dropout"
        elif found.own:
            yield "its own dropout layers, at the recipe's rate instead of theirs; plain is rate 0"
        else:
            yield "after its hidden activations; put nn.Dropout layers in to choose others"
        rows = [
            [
                _where(p.layer),
                p.call,
                "a row" if set(p.units) == {1} else f"{_size(p.units)} units",
                "" if p.rate is None else f"its own rate {p.rate:g}",
            ]
            for p in found.places
        ]
        yield from _table(_merged(rows))
        for technique in self.first:
            yield f"tried first: {technique.name} at its own rates"
        inside = [[_where(p.layer), p.call, f"{p.rate:g}"] for p in found.inside]
        for layer, call, rate in _merged(inside):
            yield f"off: {call} in {layer} drops out inside, at {rate}, and can't be taken over"
        if found.activations:
            yield f"its {counted(len(found.activations), 'activation')} are then no places"

    def _parameters(self, count: dict[str, int]) -> Iterator[str]:
        rows = [[name, _size(self.shapes[name]), f"{count[name]:,}", MEANINGS[k]] for name, k in self.kinds.items()]
        yield from _table(_merged(rows))
        for name, first in self.ties.items():
            yield f"{name} is tied to {first} and stays so"


def inspect(
    model: Build | str,
    X: Any = None,
    y: Any = None,
    *,
    target: str | Sequence[str] | None = None,
    text: str | Sequence[str] | None = None,
    embed: str | None = None,
    shape: Sequence[int] | None = None,
) -> Inspection:
    """Say of a network of your own where each technique would act, what decays, and how it would be trained.

    `model` is a function that builds it, or "file.py:function". Its input is told by `shape` (of one row, such as
    (3, 32, 32)), by rows X (n, …) as the network takes them, or by data as `search` takes it: a name, a file, X and y,
    with `text` naming its columns of text, and `embed` the function of their vectors where the network reads these.
    Nothing is trained. Raises ModelError for a network that a search would refuse, OptionError without an input.

    >>> import tauten
    >>> found = tauten.inspect(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), shape=(4,))
    >>> found.acts["dropout"], found.kinds["0.weight"], found.obstacle
    ('at 1 place', 'decays', None)
    """
    build = load_builder(model)
    assert build is not None
    asked = Options(trials=3, text=parse_columns(text), embed=embed)
    example, layout, outputs = _example(X, y, target, asked, shape, build)
    net = ModuleNet(build, example, layout=layout, outputs=outputs)
    module = net.fresh_module()
    found = net.survey
    data = "text" if layout else data_of(example.shape[1:])
    lacking = {"synonyms", "typos"} if isinstance(build, PretrainedEncoder) else set()
    kinds = [kind for kind in techniques().values() if data in kind.data and lacking.isdisjoint(kind.planes)]
    return Inspection(
        type(module).__name__,
        tuple(example.shape[1:]),
        layout,
        net.outputs,
        found,
        kinds_of(module),
        {name: tuple(p.shape) for name, p in module.named_parameters()},
        tied(module),
        dict(_regularized(module, found)),
        {kind.name: _site(kind, len(found.places)) for kind in kinds},
        net.obstacle,
        net.stacked_rows,
        tuple(net.at_own_rates(kinds)),
    )


def _example(
    X: Any, y: Any, target: str | Sequence[str] | None, asked: Options, shape: Sequence[int] | None, build: Build
) -> tuple[Tensor, TextLayout | None, int | None]:
    """Two rows or more as the network sees them in a search, their layout where they are text, and the outputs."""
    if (X is None) == (shape is None):
        raise OptionError("give either data or the shape of one row, such as 3,32,32, so that a pass can be made.")
    if shape is not None:
        if not shape or not all(isinstance(size, int) and size > 0 for size in shape):
            raise OptionError(f"shape is {shape!r}; it must be whole numbers from 1 up, such as 3,32,32.")
        return torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)), None, None
    rows = given(X, y)
    if rows.y is None and not isinstance(X, str | Path) and target is None:
        return torch.as_tensor(X[:2]).to(torch.float32), None, None
    table = read_by(table_of(X, y, target, asked, own_network=True), build)
    layout = Layout.of(table.frame)
    learnt = table.learnt(np.arange(len(table.y)), layout)
    rows_seen = torch.from_numpy(learnt.transform(table.take(np.arange(2)).features))
    return rows_seen, table.text_layout(layout), len(table.classes) or len(table.targets)


def _site(kind: type[Technique], places: int) -> str:
    act = next((text for hook, text in SITES.items() if hook in kind.hooks), "elsewhere")
    return act.format(places=f"{places} place{'' if places == 1 else 's'}" if places else "no place: it does nothing")


def _regularized(module: nn.Module, found: Survey) -> Iterator[tuple[str, list[str]]]:
    frozen = {id(m) for m in frozen_norms(module)}
    for what, kind in KNOWN.items():
        held = [(name, m) for name, m in module.named_modules() if isinstance(m, kind)]
        if own := [name for name, m in held if id(m) not in frozen]:
            yield what, own
        if still := [name for name, m in held if id(m) in frozen]:
            yield f"frozen {what}, kept in evaluation mode", still
    if dropping := [p.layer for p in (*found.places, *found.inside) if p.rate]:
        yield "dropout of its own", dropping


def _where(layer: str) -> str:
    return layer or "the module itself"


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "1"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(row[0] for row in _merged([[_where(name)] for name in dict.fromkeys(names)]))
    return f"{shown} ({len(names)})" if len(names) > 1 else shown


def _merged(rows: Sequence[list[str]]) -> list[list[str]]:
    """Rows that differ in the numbers of their first cell only as one."""
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        groups.setdefault((re.sub(r"\b\d+\b", "#", row[0]), *row[1:]), []).append(row)
    return [[_together([row[0] for row in own]), *own[0][1:]] for own in groups.values()]


def _together(names: Sequence[str]) -> str:
    """Names that differ in numbers only: blocks.{0, 1, 2}.norm.weight."""
    numbers = [re.findall(r"\b\d+\b", name) for name in names]
    columns = iter([list(dict.fromkeys(column)) for column in zip(*numbers, strict=True)])

    def shown(_: re.Match[str]) -> str:
        found = next(columns)
        many = f"{found[0]} … {found[-1]}" if len(found) > SHOWN else ", ".join(found)
        return found[0] if len(found) == 1 else f"{{{many}}}"

    name = re.sub(r"\b\d+\b", shown, names[0])
    return name if len(set(names)) == len(names) else f"{name} ({len(names)} calls)"


def _table(rows: Sequence[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
