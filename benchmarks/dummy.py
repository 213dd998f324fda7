"""A technique without effect, for searches that have nothing to find; importing it puts it into the registry."""

from typing import Any

from tauten.technique import Draws, Kernel, Technique, hyperparameter


class Dummy(Technique, name="dummy"):
    """Does nothing."""

    strength: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.5, doc="a number without a meaning")

    def kernel(self) -> Kernel:
        return {}

    def activation(self, h: Any, r: Draws) -> Any:
        return h
