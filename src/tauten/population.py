"""A population: members trained by one program, in groups, on all threads.

Members are put into **blocks**: engines of one group with a bounded number of slots. A block runs on one thread at a
time with torch's own threading off, so its bits don't depend on how many threads there are.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from tauten.engines.protocol import Engine
from tauten.engines.single import Single
from tauten.engines.slots import Lift, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.errors import OptionError, RecipeError
from tauten.member import Delivered, Group, Member, Source
from tauten.nets.base import Net
from tauten.nets.mlp import MLP
from tauten.nets.module import ModuleNet
from tauten.recipe import Recipe

BLOCK = 16
"""Slots of a block: enough to amortize the cost of a call, few enough to stay near the cache and to share out."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """A member after one more epoch: its number of epochs, and the mean training loss of the last."""

    epoch: int
    loss: float
    done: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Completed:
    """A member at its end: its outputs (R, K) on the rows asked for, and its delivered weights where wanted."""

    outputs: Tensor | None
    delivered: Delivered | None


def even_block(members: int, threads: int) -> int:
    """A block size that shares so many members out evenly over the threads; bits don't depend on it."""
    rounds = -(-members // (threads * BLOCK))
    return max(1, -(-members // (threads * rounds)))


class Builder:
    """Makes the network and the lift of a group: the built-in MLP, or the user's module."""

    def __init__(self, source: Source, module: Callable[[], nn.Module] | None = None) -> None:
        self._inputs, self._outputs = source.inputs.shape[1:], source.targets.shape[1]
        self.module = ModuleNet(module, source.inputs[:2]) if module else None
        if self.module and self.module.outputs != self._outputs:
            raise OptionError(
                f"the module gives {self.module.outputs} outputs and the data needs {self._outputs}; "
                "change its last layer."
            )

    def check(self, recipe: Recipe) -> None:
        """RecipeError where the recipe can't act on this network."""
        if self.module:
            for t in recipe.techniques:
                if t.structural():
                    raise RecipeError(f"{t.name} can't be grafted onto a module; put it into the module itself.")

    def net(self, recipe: Recipe) -> Net:
        """A network for one engine."""
        if self.module:
            return self.module.fresh()
        structure = [t for t in recipe.techniques if t.structural()]
        return MLP(self._inputs.numel(), self._outputs, recipe.setting, structure)

    def lift(self) -> Lift:
        """How the training step is carried over members, by what the network can do."""
        if self.module is None:
            return Stacked()
        return Vmapped() if self.module.mappable else Single()


class Population:
    """Trains members in lockstep epochs; a context manager, since it holds threads.

    >>> with Population(builder, sources, threads=2) as population:  # doctest: +SKIP
    ...     population.enter([Member(0, recipe, seed=1, epochs=10)])
    ...     population.advance()
    """

    def __init__(self, builder: Builder, sources: Sequence[Source], threads: int = 1, block: int = BLOCK) -> None:
        self._builder, self._sources, self._block = builder, sources, block
        self._engines: list[tuple[Group, Engine, dict[int, Member]]] = []
        self._epochs: dict[int, int] = {}
        self._pool = ThreadPoolExecutor(threads)
        self._outer_threads = torch.get_num_threads()
        self.gradient_evaluations = 0

    def __enter__(self) -> Self:
        torch.set_num_threads(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self._outer_threads)

    def __len__(self) -> int:
        return len(self._epochs)

    def enter(self, members: Sequence[Member]) -> None:
        """Take members in, each into a block of its group with a free slot, or a new one."""
        waiting: dict[Group, list[Member]] = {}
        for member in members:
            self._builder.check(member.recipe)
            waiting.setdefault(Group.of(member, self._sources[member.source]), []).append(member)
        for group, own in waiting.items():
            for block_group, engine, held in self._engines:
                if block_group == group and own:
                    taken, own = own[: self._block - len(held)], own[self._block - len(held) :]
                    engine.admit(taken)
                    held.update({m.id: m for m in taken})
            while own:
                taken, own = own[: self._block], own[self._block :]
                net = self._builder.net(taken[0].recipe)
                engine = SlotEngine(group, net, self._sources, self._builder.lift(), self._block)
                engine.admit(taken)
                self._engines.append((group, engine, {m.id: m for m in taken}))
        self._epochs.update({m.id: 0 for m in members})

    def advance(self) -> dict[int, Progress]:
        """Train every member for one epoch."""
        jobs = [
            (group, held, self._pool.submit(engine.run, group.epoch_steps)) for group, engine, held in self._engines
        ]
        result: dict[int, Progress] = {}
        for group, held, job in jobs:
            self.gradient_evaluations += group.epoch_steps * group.passes * len(held)
            for id, loss in job.result().items():
                self._epochs[id] += 1
                result[id] = Progress(self._epochs[id], loss, self._epochs[id] >= held[id].epochs)
        return dict(sorted(result.items()))

    def complete(
        self, rows: Mapping[int, Tensor], extract: Iterable[int] = (), tick: Callable[[int], None] = lambda _: None
    ) -> dict[int, Completed]:
        """Train every member to its last epoch and let it go; each block goes on as fast as it can.

        `rows` are what each member is evaluated on at its end, `extract` whose weights are wanted. `tick` is called
        with the gradient evaluations of each epoch of a block, from that block's thread.
        """
        wanted = set(extract)
        jobs = [
            self._pool.submit(self._to_the_end, group, engine, dict(held), rows, wanted, tick)
            for group, engine, held in self._engines
        ]
        result = {id: done for job in jobs for id, done in job.result().items()}
        self.gradient_evaluations += sum(
            group.epoch_steps * group.passes * (m.epochs - self._epochs[m.id])
            for group, _, held in self._engines
            for m in held.values()
        )
        self._engines, self._epochs = [], {}
        return dict(sorted(result.items()))

    def _to_the_end(
        self,
        group: Group,
        engine: Engine,
        held: dict[int, Member],
        rows: Mapping[int, Tensor],
        wanted: set[int],
        tick: Callable[[int], None],
    ) -> dict[int, Completed]:
        result: dict[int, Completed] = {}
        epoch = {id: self._epochs[id] for id in held}
        while held:
            done = [id for id, m in held.items() if epoch[id] >= m.epochs]
            if done:
                outputs = engine.evaluate({id: rows[id] for id in done if id in rows})
                for id in done:
                    result[id] = Completed(outputs.get(id), engine.extract(id) if id in wanted else None)
                    del held[id]
                if held:
                    engine.evict(done)
            else:
                engine.run(group.epoch_steps)
                tick(group.epoch_steps * group.passes * len(held))
                epoch = {id: epoch[id] + 1 for id in held}
        return result

    def evaluate(self, rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Outputs (R, K) of the named members on their rows."""
        jobs = [
            self._pool.submit(engine.evaluate, {id: rows[id] for id in held if id in rows})
            for _, engine, held in self._engines
        ]
        return {id: out for job in jobs for id, out in job.result().items()}

    def extract(self, member: int) -> Delivered:
        """A copy of a member's delivered weights and buffers."""
        return next(engine for _, engine, held in self._engines if member in held).extract(member)

    def leave(self, members: Iterable[int]) -> None:
        """Let members go; a block without members is given back."""
        gone = set(members)
        for _, engine, held in self._engines:
            own = gone & held.keys()
            for id in own:
                del held[id], self._epochs[id]
            if own and held:
                engine.evict(own)
        self._engines = [entry for entry in self._engines if entry[2]]
