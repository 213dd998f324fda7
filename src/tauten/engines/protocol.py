"""The one protocol behind which every engine stands."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from tauten.member import Delivered, Member


class Engine(Protocol):
    """Trains the members of one group. Calls come from one thread at a time."""

    def admit(self, members: Sequence[Member]) -> None:
        """Take members in, at step 0."""
        ...

    def run(self, steps: int) -> dict[int, float]:
        """Train every member for so many steps; its mean training loss by member id."""
        ...

    def evaluate(self, rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Outputs (R, K) of the delivered weights on the named members' own rows."""
        ...

    def extract(self, member: int) -> Delivered:
        """A copy of a member's delivered weights."""
        ...

    def evict(self, members: Iterable[int]) -> None:
        """Let members go; the others go on with the same bits."""
        ...
