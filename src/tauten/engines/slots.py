"""The torch engine: members in slots, one state tree, and a lift that carries the training step over them.

What differs between stacked, vmapped and one at a time is only the lift (`stacked.py`, `vmapped.py`, `single.py`).
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from tauten.draws import Draws
from tauten.engines import step as stepping
from tauten.engines.step import Batch, Hyper, Program, State
from tauten.member import Delivered, Group, Member, Source
from tauten.nets.base import Net
from tauten.partners import in_order
from tauten.technique import Technique
from tauten.tensors import Tree, map_tree

EVALUATION_ROWS = 128
"""Rows of an evaluation batch; fixed, so that a row's bits don't depend on how many others are asked for."""


class Lift(Protocol):
    """Carries functions of one member over all slots. `fixed`: keep every slot filled, with dummies where empty."""

    fixed: bool

    def train(self, program: Program, state: State, hyper: Hyper, batch: Batch) -> tuple[State, Tensor]: ...

    def evaluate(self, program: Program, w: Tree, buffers: Tree, hyper: Hyper, x: Tensor) -> Tensor: ...


class Resident:
    """The sources of a population, laid one behind the other once, for all engines to gather batches from."""

    def __init__(self, sources: Sequence[Source]) -> None:
        where = {x: i for i, x in enumerate(dict.fromkeys(id(s.inputs) for s in sources))}
        rows = len(sources[0].inputs)
        self._inputs = {name: _joined([s.encodings[name] for s in sources]) for name in sources[0].encodings} or {
            "": _joined([s.inputs for s in sources])
        }
        self.input_offset = torch.tensor([where[id(s.inputs)] * rows for s in sources])
        self.targets = torch.cat([s.targets for s in sources])
        self.target_offset = torch.arange(len(sources)) * rows
        weighted = any(s.weights is not None for s in sources)
        own = [torch.ones(rows) if s.weights is None else s.weights for s in sources]
        self.weights = torch.cat(own) if weighted else None
        self._task, self.layout = sources[0].task, sources[0].layout
        self.train_rows, self._sources = [s.train for s in sources], sources
        self._learned: dict[tuple[type[Technique], int], Tree] = {}

    def inputs(self, numeric: str) -> Tensor:
        """Input rows of all sources, as a group reads them."""
        return self._inputs[numeric]

    def learned(self, kind: type[Technique], source: int) -> Tree:
        """What a technique needs to know of a source's training rows; worked out once."""
        key = kind, source
        if key not in self._learned:
            rows = self.target_offset[source] + self.train_rows[source]
            targets = self.targets[rows]
            if self.weights is not None and self._task == "classification":
                targets = targets * self.weights[rows].unsqueeze(-1)
            images = kind.pixels is not Technique.pixels
            self._learned[key] = kind.learn(targets) | (kind.pixels(*self._sources[source].pixels) if images else {})
        return self._learned[key]


def _joined(each: Sequence[Tensor]) -> Tensor:
    """One behind the other, what is shared once."""
    once = list({id(x): x for x in each}.values())
    return once[0] if len(once) == 1 else torch.cat(once)


class SlotEngine:
    """Members of one group in slots; see `tauten.engines.protocol.Engine`."""

    def __init__(self, group: Group, net: Net, data: Resident, lift: Lift, capacity: int) -> None:
        self._group, self._net, self._data, self._lift, self._capacity = group, net, data, lift, capacity
        self._inputs = data.inputs(group.numeric)
        self._slots: list[Member | None] = []
        self._state: State | None = None
        self._program = Program(net, (), group.task, group.optimizer, group.loss, data.layout)
        self._hyper: Hyper = {}

    def admit(self, members: Sequence[Member]) -> None:
        """Take members in, at step 0; those already there are not touched."""
        free = self._capacity - sum(m is not None for m in self._slots)
        if len(members) > free:
            raise ValueError(f"{len(members)} members for {free} free slots.")
        if not members:
            return
        own = {t.name: t for m in [*self._slots, *members] if m is not None for t in m.recipe.techniques}
        for member in members:
            check_layers(member, self._net.layers)
        self._use(in_order(t for t in own.values() if t.hooks != {"stop"}))
        w, buffers = self._net.init([m.seed for m in members])
        fresh = stepping.start(self._program, w, buffers, torch.zeros(len(members), dtype=torch.int64))
        self._place(members, fresh)
        self._bind()

    def run(self, steps: int) -> dict[int, float]:
        """Train every member for so many steps; mean training loss by member id."""
        state = self._live()
        at = state["step"].clone()
        rows, source = self._order(at, steps), self._source()
        xs, ys = (
            rows + self._data.input_offset[source].unsqueeze(-1),
            rows + self._data.target_offset[source].unsqueeze(-1),
        )
        size, count = self._group.batch_size, len(self._slots)
        rates, momentum, seed = self._rates(at, steps), self._numbers("momentum"), self._seeds()
        total = torch.zeros(count)
        for t in range(steps):
            x, y = (
                data.index_select(0, index[:, t * size : (t + 1) * size].reshape(-1)).reshape(
                    count, size, *data.shape[1:]
                )
                for data, index in ((self._inputs, xs), (self._data.targets, ys))
            )
            weight = None if self._data.weights is None else self._data.weights[ys[:, t * size : (t + 1) * size]]
            batch = Batch(x, y, seed, rates[:, t], momentum, weight)
            state, loss = self._lift.train(self._program, state, self._hyper, batch)
            total += loss
        self._state = state
        return {m.id: float(total[i]) / steps for i, m in enumerate(self._slots) if m is not None}

    def evaluate(self, rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Outputs (R, K) of the delivered weights on the named members' own rows."""
        if not rows:
            return {}
        w, buffers = stepping.delivered(self._program, self._live(), self._hyper)
        longest = max(len(r) for r in rows.values())
        padded = -(-longest // EVALUATION_ROWS) * EVALUATION_ROWS
        index = torch.zeros(len(self._slots), padded, dtype=torch.int64)
        for i, member in enumerate(self._slots):
            if member is not None and member.id in rows:
                own = rows[member.id]
                index[i] = own[torch.arange(padded) % len(own)] + self._data.input_offset[member.source]
        outputs = []
        with torch.no_grad():
            for chunk in torch.split(index, EVALUATION_ROWS, 1):
                x = self._inputs.index_select(0, chunk.reshape(-1)).reshape(*chunk.shape, *self._inputs.shape[1:])
                outputs.append(self._lift.evaluate(self._program, w, buffers, self._hyper, x))
        out = torch.cat(outputs, 1)
        return {id: out[self._slot(id), : len(own)].clone() for id, own in rows.items()}

    def extract(self, member: int) -> Delivered:
        """A copy of a member's delivered weights and buffers."""
        i = self._slot(member)
        w, buffers = stepping.delivered(self._program, self._live(), self._hyper)
        one = [self._net.unpadded({k: v[i] for k, v in tree.items()}) for tree in (w, buffers)]
        return Delivered(one[0], one[1])

    def evict(self, members: Iterable[int]) -> None:
        """Let members go."""
        gone = set(members)
        keep = [m is not None and m.id not in gone for m in self._slots]
        if self._lift.fixed:
            self._slots = [m if stays else None for m, stays in zip(self._slots, keep, strict=True)]
        else:
            index = torch.tensor([i for i, stays in enumerate(keep) if stays], dtype=torch.int64)
            self._slots = [m for m, stays in zip(self._slots, keep, strict=True) if stays]
            self._state = pytree.tree_map(lambda leaf: leaf.index_select(0, index), self._live())
        names = {t.name for m in self._slots if m is not None for t in m.recipe.techniques}
        self._use(tuple(t for t in self._program.techniques if t.name in names))
        self._bind()

    def _live(self) -> State:
        if self._state is None:
            raise ValueError("the engine has no members yet.")
        return self._state

    def _slot(self, member: int) -> int:
        return next(i for i, m in enumerate(self._slots) if m is not None and m.id == member)

    def _use(self, techniques: tuple[Technique, ...]) -> None:
        """Carry exactly these techniques; state that nobody needs is dropped."""
        self._program = dataclasses.replace(self._program, techniques=techniques)
        if self._state is not None:
            held = self._state["techniques"]
            tree = stepping.averaged(self._state["w"], self._state["buffers"])
            own = {t.name: held.get(t.name) or t.init(tree) for t in techniques if "init" in t.hooks}
            self._state = {**self._state, "techniques": own}

    def _place(self, members: Sequence[Member], fresh: State) -> None:
        if not self._lift.fixed:
            old = self._state
            self._state = fresh if old is None else pytree.tree_map(lambda a, b: torch.cat([a, b]), old, fresh)
            self._slots += members
            return
        if self._state is None:
            self._slots = [None] * self._capacity
            repeat = torch.zeros(self._capacity, dtype=torch.int64)
            self._state = pytree.tree_map(lambda leaf: leaf.index_select(0, repeat), fresh)
        empty = [i for i, m in enumerate(self._slots) if m is None][: len(members)]
        index = torch.tensor(empty)
        self._state = pytree.tree_map(lambda old, new: old.index_copy(0, index, new), self._state, fresh)
        for i, member in zip(empty, members, strict=True):
            self._slots[i] = member

    def _bind(self) -> None:
        device, slots, self._hyper = self._inputs.device, self._slots, {}
        for kind in (type(t) for t in self._program.techniques):
            own = kind.stack([m.recipe.get(kind.name) if m else None for m in slots], self._net.layers, device)
            learned = [self._data.learned(kind, m.source if m else 0) for m in slots]
            self._hyper[kind.name] = own | map_tree(lambda *leaves: torch.stack(leaves), *learned)

    def _source(self) -> Tensor:
        return torch.tensor([m.source if m else 0 for m in self._slots])

    def _seeds(self) -> Tensor:
        return torch.tensor([m.seed if m else 0 for m in self._slots], dtype=torch.int64)

    def _numbers(self, key: str) -> Tensor:
        return torch.tensor([getattr(m.recipe.setting, key) if m else 0.0 for m in self._slots])

    def _rates(self, at: Tensor, steps: int) -> Tensor:
        """Learning rates (M, steps) by each member's own schedule; 0 in empty slots."""
        rows: list[list[float]] = []
        for m, begin in zip(self._slots, at.tolist(), strict=True):
            length = m.recipe.setting.epochs * self._group.epoch_steps if m else 1
            rows.append([m.recipe.setting.rate_at((begin + t) / length) if m else 0.0 for t in range(steps)])
        return torch.tensor(rows, dtype=torch.float32)

    def _order(self, at: Tensor, steps: int) -> Tensor:
        """Training rows (M, steps · B) of each member: an endless stream of permutations of its own rows.

        A batch may reach into the next permutation, so all batches are of one size and every row is seen equally
        often.
        """
        members, size = self._slots, self._group.batch_size
        own = [self._data.train_rows[m.source if m else 0] for m in members]
        n = torch.tensor([len(rows) for rows in own])
        table = torch.nn.utils.rnn.pad_sequence(list(own), batch_first=True)
        position = at.unsqueeze(-1) * size + torch.arange(steps * size)
        lap = position // n.unsqueeze(-1)
        first = lap[:, :1]
        laps = int((lap - first).max()) + 1
        orders = torch.stack(
            [Draws(self._seeds(), first[:, 0] + i, "order").permutation(table.shape[1], n) for i in range(laps)], 1
        )
        flat = (lap - first) * table.shape[1] + position % n.unsqueeze(-1)
        return table.gather(1, orders.flatten(1).gather(1, flat))


def check_layers(member: Member, layers: int) -> None:
    """Raise before anything is placed where a value per layer does not fit the network."""
    for t in member.recipe.techniques:
        type(t).stack([t], layers, torch.device("cpu"))
