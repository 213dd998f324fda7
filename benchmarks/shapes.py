"""The three networks that engines and peers are compared on, and what one step of them costs in arithmetic."""

import itertools
import math
from dataclasses import dataclass

BATCH, ROWS = 128, 1024
"""Rows a step and rows trained on: eight steps an epoch."""
DROPOUT, SMOOTHING, RATE, DECAY = 0.2, 0.1, 1e-3, 0.01


@dataclass(frozen=True)
class Shape:
    """A network of `depth` equal hidden layers."""

    inputs: int
    width: int
    depth: int
    outputs: int

    @property
    def name(self) -> str:
        """As it is written in the tables."""
        hidden = f"{self.width}×{self.depth}" if self.depth > 3 else "-".join([str(self.width)] * self.depth)
        return f"{self.inputs}-{hidden}-{self.outputs}"

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each linear map."""
        widths = [self.inputs, *[self.width] * self.depth, self.outputs]
        return list(itertools.pairwise(widths))

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products of one training step of one member.

        Forward, gradient of the weights, gradient of the layer's input; the first layer's input needs none.
        """
        sizes = [math.prod(layer) for layer in self.layers]
        return 2 * BATCH * (3 * sum(sizes) - sizes[0])


SHAPES = {"small": Shape(64, 128, 2, 10), "middle": Shape(30, 256, 3, 2), "wide": Shape(64, 512, 4, 10)}
