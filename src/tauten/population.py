"""A population: members trained by one program, in groups, on all threads.

Members are put into **blocks**: engines of one group. Where the native engine can do all that a recipe asks for, its
members are trained one per thread, whatever their blocks. A block of a torch engine has a bounded number of slots and
runs on one thread at a time with torch's own threading off. Either way bits don't depend on how many threads there are.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self, TypeVar

from torch import Tensor

from tauten.builder import Builder, size_of
from tauten.engines.block import Block, Completed, Progress
from tauten.engines.native import Job, NativeEngine, Queue
from tauten.engines.slots import Resident, SlotEngine
from tauten.member import Delivered, Group, Member, Source
from tauten.nets.convnet import ConvNet
from tauten.nets.mlp import MLP
from tauten.tensors import one_thread

SMALL_WEIGHTS, SMALL_THREADS = 2**17, 2
"""Networks below this many weights are trained by at most two threads at once on torch engines: `python
benchmarks/threads.py` shows how more of them wait for each other."""
TICK = 0.1
"""Seconds between two looks at how far the native engine has come."""

T = TypeVar("T")


class Population:
    """Trains members in lockstep epochs; a context manager, since it holds threads.

    >>> from tauten.recipe import Recipe
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
        self._torch: list[Block] = []
        self._native: list[Block] = []
        self._pools: dict[int, ThreadPoolExecutor] = {}
        self._torch_threads = threads
        self._alone = one_thread()
        self._cut_off = False
        self.gradient_evaluations = 0

    def __enter__(self) -> Self:
        self._alone.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cut_off = kind is not None
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self._alone.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return sum(len(block.held) for block in self._blocks)

    @property
    def _blocks(self) -> list[Block]:
        return self._torch + self._native

    def enter(self, members: Sequence[Member]) -> None:
        """Take members in, each into a block of its group with a free slot, or a new one."""
        waiting: dict[tuple[bool, Group], list[Member]] = {}
        for member in members:
            self._builder.check(member.recipe)
            group = Group.of(member, self._sources[member.source])
            waiting.setdefault((self._builder.native(member.recipe), group), []).append(member)
        for (native, group), own in waiting.items():
            blocks = self._native if native else self._torch
            for block in blocks:
                if block.group == group and own:
                    own = block.admit(own)
            while own:
                blocks.append(block := self._new_native(group, own) if native else self._new_torch(group, own))
                own = block.admit(own)

    def _new_native(self, group: Group, members: Sequence[Member]) -> Block:
        net = self._builder.net(members[0].recipe)
        assert isinstance(net, MLP)
        return Block(group, NativeEngine(group, net, self._resident, self._builder.precision), sys.maxsize)

    def _new_torch(self, group: Group, members: Sequence[Member]) -> Block:
        net = self._builder.net(members[0].recipe)
        lift = self._builder.lift(net, group.batch_size)
        if size_of(net) < SMALL_WEIGHTS and not isinstance(net, ConvNet):
            self._torch_threads = min(self._threads, SMALL_THREADS)
        slots = self._block or self._builder.block(net, len(members), self._threads)
        # Empty slots of a fixed block are trained too, as dummies: no more of them than members.
        slots = min(slots, len(members)) if lift.fixed and not self._block else slots
        return Block(group, SlotEngine(group, net, self._resident, lift, slots), slots)

    def advance(self) -> dict[int, Progress]:
        """Train every member for one epoch."""
        self.gradient_evaluations += sum(block.cost for block in self._blocks)
        jobs = [self._submit(block.advance) for block in self._torch]
        queue = Queue([Job(_engine(b), id, b.group.epoch_steps) for b in self._native for id in b.held])
        self._work(queue)
        losses = queue.losses()
        native = {id: one for b in self._native for id, one in b.advanced(losses).items()}
        return dict(sorted((native | self._gather(jobs)).items()))

    def complete(
        self, rows: Mapping[int, Tensor], extract: Iterable[int] = (), tick: Callable[[int], None] = lambda _: None
    ) -> dict[int, Completed]:
        """Train every member to its last epoch and let it go; each goes on as fast as it can.

        `rows` are what each member is evaluated on at its end, `extract` whose weights are wanted. `tick` is called
        with the gradient evaluations since it was last called, from any thread.
        """
        wanted, native = set(extract), self._native
        left = {id: steps for block in self._blocks for id, steps in block.left.items()}
        self.gradient_evaluations += sum(left[id] * b.group.passes for b in self._blocks for id in b.held)

        def going_on(evaluations: int) -> None:
            if self._cut_off:
                raise CancelledError
            tick(evaluations)

        jobs = [self._submit(block.complete, rows, wanted, going_on) for block in self._torch]
        queue = Queue(
            [Job(_engine(b), id, left[id], rows.get(id), last=id not in wanted) for b in native for id in b.held]
        )
        self._work(queue, tick)
        done = {
            id: Completed(queue.outputs.get(id), b.engine.extract(id) if id in wanted else None)
            for b in native
            for id in b.held
        }
        self._torch, self._native = [], []
        return dict(sorted((done | self._gather(jobs)).items()))

    def evaluate(self, rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Outputs (R, K) of the named members on their rows."""
        asked = [(block, {id: rows[id] for id in block.held if id in rows}) for block in self._torch]
        jobs = [self._submit(block.engine.evaluate, own) for block, own in asked]
        queue = Queue([Job(_engine(b), id, 0, rows[id]) for b in self._native for id in b.held if id in rows])
        self._work(queue)
        return dict(sorted((queue.outputs | self._gather(jobs)).items()))

    def extract(self, member: int) -> Delivered:
        """A copy of a member's delivered weights and buffers."""
        return next(block.engine for block in self._blocks if member in block.held).extract(member)

    def leave(self, members: Iterable[int]) -> None:
        """Let members go; a block without members is given back."""
        for block in self._blocks:
            block.leave(set(members))
        self._torch = [block for block in self._torch if block.held]
        self._native = [block for block in self._native if block.held]

    def _submit(self, call: Callable[..., T], *args: object) -> Future[T]:
        return self._pool(self._torch_threads).submit(call, *args)

    def _pool(self, threads: int) -> ThreadPoolExecutor:
        if threads not in self._pools:
            self._pools[threads] = ThreadPoolExecutor(threads)
        return self._pools[threads]

    def _work(self, queue: Queue, tick: Callable[[int], None] = lambda _: None) -> None:
        """Let threads work on a queue of native members until it is empty."""
        if not len(queue):
            return
        workers = [self._pool(self._threads).submit(queue.work) for _ in range(min(self._threads, len(queue)))]
        told = 0
        try:
            while wait(workers, TICK).not_done:
                told, before = queue.done, told
                tick(told - before)
        except BaseException:
            queue.stop()
            wait(workers)
            raise
        tick(queue.done - told)
        for worker in workers:
            worker.result()

    @staticmethod
    def _gather(jobs: Sequence[Future[dict[int, T]]]) -> dict[int, T]:
        return {id: value for job in jobs for id, value in job.result().items()}


def _engine(block: Block) -> NativeEngine:
    assert isinstance(block.engine, NativeEngine)
    return block.engine
