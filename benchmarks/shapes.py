"""The networks that engines and peers are compared on, and what one step of them costs in arithmetic."""

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
    def row(self) -> tuple[int, ...]:
        """The shape of a row."""
        return (self.inputs,)

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


@dataclass(frozen=True)
class Images:
    """The convnet of three stages that a search of images begins with."""

    side: int
    width: int
    depth: int
    outputs: int

    @property
    def row(self) -> tuple[int, ...]:
        """The shape of a row."""
        return (1, self.side, self.side)

    @property
    def name(self) -> str:
        """As it is written in the tables."""
        channels = "-".join(str(self.width >> (2 - stage)) for stage in range(3))
        return f"{self.side}×{self.side}-{channels}-{self.outputs}, {3 * (1 + self.depth)} convolutions"

    @property
    def flops(self) -> int:
        """Floating-point operations of convolutions and linear map of one training step of one member.

        Forward, gradient of the weights, gradient of the layer's input; the first layer's input needs none.
        """
        side, channels, sizes = self.side, 1, []
        for stage in range(3):
            wide = self.width >> (2 - stage)
            sizes.append(9 * side**2 * channels * wide)
            side, channels = -(-side // 2), wide
            sizes += [9 * side**2 * channels * wide] * self.depth
        sizes.append(side**2 * channels * self.outputs)
        return 2 * BATCH * (3 * sum(sizes) - sizes[0])


SHAPES = {"small": Shape(64, 128, 2, 10), "middle": Shape(30, 256, 3, 2), "wide": Shape(64, 512, 4, 10)}
IMAGES = Images(28, 64, 1, 10)
