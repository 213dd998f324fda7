"""A block: an engine, who is in it, and how far each has come."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from tauten.engines.protocol import Engine
from tauten.member import Delivered, Group, Member


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


@dataclasses.dataclass(eq=False)
class Block:
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

    @property
    def left(self) -> dict[int, int]:
        """Steps that each member still has to go."""
        return {id: max(m.epochs - self.epoch[id], 0) * self.group.epoch_steps for id, m in self.held.items()}

    def admit(self, members: Sequence[Member]) -> list[Member]:
        """Fill the free slots; returns who found none."""
        free = self.slots - len(self.held)
        self.engine.admit(members[:free])
        self.held.update({m.id: m for m in members[:free]})
        self.epoch.update({m.id: 0 for m in members[:free]})
        return list(members[free:])

    def advance(self) -> dict[int, Progress]:
        """One epoch."""
        return self.advanced(self.engine.run(self.group.epoch_steps))

    def advanced(self, losses: Mapping[int, float]) -> dict[int, Progress]:
        """Count one epoch more, with its mean training losses."""
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
