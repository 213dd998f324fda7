"""A population: members trained by one program, in groups, on all threads.

Members are put into **blocks**: engines of one group with a bounded number of slots. A block runs on one thread at a
time with torch's own threading off, so its bits don't depend on how many threads there are.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from tauten.engines.protocol import Engine
from tauten.engines.single import Single
from tauten.engines.slots import Lift, Resident, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.errors import OptionError, RecipeError
from tauten.member import Delivered, Group, Member, Source
from tauten.nets.base import Net
from tauten.nets.mlp import MLP
from tauten.nets.module import ModuleNet
from tauten.recipe import Recipe

BLOCK_WEIGHTS, BLOCK_SLOTS = 2**20, (4, 32)
"""Weights of a block, about, and the limits of its slots: few enough to stay near the cache, enough that its operations
are long. Threads take turns in Python between operations, and over short ones they wait more than they work."""
SMALL_WEIGHTS, SMALL_THREADS = 2**17, 2
"""Networks below this many weights are trained by at most two threads at once: `python benchmarks/threads.py` shows how
more of them wait for each other."""

T = TypeVar("T")


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


def size_of(net: Net) -> int:
    """Weights of one member."""
    return sum(leaf.numel() for leaf in net.init([0])[0].values())


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

    def block(self, net: Net, members: int, threads: int) -> int:
        """Slots of a block for so many members of one network: an even share for each thread, within limits."""
        low, high = BLOCK_SLOTS
        size = max(low, min(high, BLOCK_WEIGHTS // size_of(net)))
        return min(max(size, -(-members // threads)), 2 * size)

    def lift(self) -> Lift:
        """How the training step is carried over members, by what the network can do."""
        if self.module is None:
            return Stacked()
        return Vmapped() if self.module.mappable else Single()


@dataclasses.dataclass(eq=False)
class _Block:
    """An engine, who is in it, and how many epochs each has behind them."""

    group: Group
    engine: Engine
    slots: int
    held: dict[int, Member] = dataclasses.field(default_factory=dict)
    epoch: dict[int, int] = dataclasses.field(default_factory=dict)

    @property
    def cost(self) -> int:
        """Gradient evaluations of one epoch of all its members."""
        return self.group.epoch_steps * self.group.passes * len(self.held)

    def admit(self, members: Sequence[Member]) -> list[Member]:
        """Fill the free slots; returns who found none."""
        free = self.slots - len(self.held)
        self.engine.admit(members[:free])
        self.held.update({m.id: m for m in members[:free]})
        self.epoch.update({m.id: 0 for m in members[:free]})
        return list(members[free:])

    def advance(self) -> dict[int, Progress]:
        """One epoch."""
        losses = self.engine.run(self.group.epoch_steps)
        self.epoch = {id: epoch + 1 for id, epoch in self.epoch.items()}
        return {id: Progress(self.epoch[id], losses[id], self.epoch[id] >= m.epochs) for id, m in self.held.items()}

    def leave(self, members: set[int]) -> None:
        """Let members go."""
        own = members & self.held.keys()
        for id in own:
            del self.held[id], self.epoch[id]
        if own and self.held:
            self.engine.evict(own)

    def complete(
        self, rows: Mapping[int, Tensor], wanted: set[int], tick: Callable[[int], None]
    ) -> dict[int, Completed]:
        """Every member to its last epoch."""
        result: dict[int, Completed] = {}
        while self.held:
            done = {id for id, m in self.held.items() if self.epoch[id] >= m.epochs}
            if not done:
                tick(self.cost)
                self.advance()
                continue
            outputs = self.engine.evaluate({id: rows[id] for id in done if id in rows})
            for id in done:
                result[id] = Completed(outputs.get(id), self.engine.extract(id) if id in wanted else None)
            self.leave(done)
        return result


class Population:
    """Trains members in lockstep epochs; a context manager, since it holds threads.

    >>> from tauten.testing import problem
    >>> source = problem(20, 3, 2, "classification")
    >>> with Population(Builder(source), [source], threads=2) as population:
    ...     population.enter([Member(0, Recipe(), seed=1, epochs=10)])
    ...     population.advance()[0].epoch
    1
    """

    def __init__(self, builder: Builder, sources: Sequence[Source], threads: int = 1, block: int | None = None) -> None:
        self._builder, self._sources, self._threads, self._block = builder, sources, threads, block
        self._resident = Resident(sources)
        self._blocks: list[_Block] = []
        self._pool: ThreadPoolExecutor | None = None
        self._outer_threads = torch.get_num_threads()
        self.gradient_evaluations = 0

    def __enter__(self) -> Self:
        torch.set_num_threads(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self._outer_threads)

    def __len__(self) -> int:
        return sum(len(block.held) for block in self._blocks)

    def enter(self, members: Sequence[Member]) -> None:
        """Take members in, each into a block of its group with a free slot, or a new one."""
        waiting: dict[Group, list[Member]] = {}
        for member in members:
            self._builder.check(member.recipe)
            waiting.setdefault(Group.of(member, self._sources[member.source]), []).append(member)
        for group, own in waiting.items():
            for block in self._blocks:
                if block.group == group and own:
                    own = block.admit(own)
            while own:
                net, lift = self._builder.net(own[0].recipe), self._builder.lift()
                if self._pool is None:
                    small = size_of(net) < SMALL_WEIGHTS
                    self._pool = ThreadPoolExecutor(min(self._threads, SMALL_THREADS) if small else self._threads)
                slots = self._block or self._builder.block(net, len(own), self._threads)
                # Empty slots of a fixed block are trained too, as dummies: no more of them than members.
                slots = min(slots, len(own)) if lift.fixed and not self._block else slots
                block = _Block(group, SlotEngine(group, net, self._resident, lift, slots), slots)
                own = block.admit(own)
                self._blocks.append(block)

    def advance(self) -> dict[int, Progress]:
        """Train every member for one epoch."""
        self.gradient_evaluations += sum(block.cost for block in self._blocks)
        return self._gather([self._submit(block.advance) for block in self._blocks])

    def complete(
        self, rows: Mapping[int, Tensor], extract: Iterable[int] = (), tick: Callable[[int], None] = lambda _: None
    ) -> dict[int, Completed]:
        """Train every member to its last epoch and let it go; each block goes on as fast as it can.

        `rows` are what each member is evaluated on at its end, `extract` whose weights are wanted. `tick` is called
        with the gradient evaluations of each epoch of a block, from that block's thread.
        """
        self.gradient_evaluations += sum(
            block.group.epoch_steps * block.group.passes * max(m.epochs - block.epoch[id], 0)
            for block in self._blocks
            for id, m in block.held.items()
        )
        jobs = [self._submit(block.complete, rows, set(extract), tick) for block in self._blocks]
        self._blocks = []
        return self._gather(jobs)

    def evaluate(self, rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Outputs (R, K) of the named members on their rows."""
        asked = [(block, {id: rows[id] for id in block.held if id in rows}) for block in self._blocks]
        return self._gather([self._submit(block.engine.evaluate, own) for block, own in asked])

    def extract(self, member: int) -> Delivered:
        """A copy of a member's delivered weights and buffers."""
        return next(block.engine for block in self._blocks if member in block.held).extract(member)

    def leave(self, members: Iterable[int]) -> None:
        """Let members go; a block without members is given back."""
        for block in self._blocks:
            block.leave(set(members))
        self._blocks = [block for block in self._blocks if block.held]

    def _submit(self, call: Callable[..., T], *args: object) -> Future[T]:
        assert self._pool is not None
        return self._pool.submit(call, *args)

    @staticmethod
    def _gather(jobs: Sequence[Future[dict[int, T]]]) -> dict[int, T]:
        return dict(sorted((id, value) for job in jobs for id, value in job.result().items()))
