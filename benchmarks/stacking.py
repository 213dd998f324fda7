"""Member-steps a second of modules of one's own, stacked (vmap) and one at a time: from where on stacking stops to pay.

    python benchmarks/stacking.py [--threads 1,2]

8 members with dropout, weight decay and label smoothing; each cell is the best of four stretches of half a second or
one step each, the two ways in turn. Multiply-adds are those of a step's forward pass, in millions, by which a search
decides.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from tauten.builder import Builder
from tauten.engines.single import Single
from tauten.engines.slots import Lift
from tauten.engines.vmapped import Vmapped
from tauten.member import Member, Source
from tauten.nets.base import Net
from tauten.nets.module import ModuleNet
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import technique

LIFTS: dict[str, Lift] = {"stacked": Vmapped(), "one at a time": Single()}
MEMBERS, SECONDS, ROUNDS = 8, 0.5, 4


def mlp(inputs: int, width: int) -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


def lenet(channels: int = 6) -> nn.Module:
    """LeCun et al. 1998, on 28 × 28."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(channels, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


class Residual(nn.Module):
    """A residual block of two convolutions with batch norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) as it came."""
        return torch.relu(x + self.bn2(self.two(torch.relu(self.bn1(self.one(x))))))


def resnet(width: int) -> nn.Module:
    """Two residual blocks on a strided stem."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2, 1), nn.ReLU(), Residual(width), nn.MaxPool2d(2), Residual(width),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10),
    )  # fmt: skip


class Encoder(nn.Module):
    """A TransformerEncoder classifier of sequences (B, T, 16)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(16, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Classes (B, 10)."""
        return self.head(self.encoder(self.embed(x)).mean(1))


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP 64-32-32": (lambda: mlp(64, 32), (64,)),
    "MLP 64-128-128": (lambda: mlp(64, 128), (64,)),
    "MLP 784-512-512": (lambda: mlp(784, 512), (784,)),
    "LeNet 28 × 28": (lenet, (1, 28, 28)),
    "ResNet 4 channels": (lambda: resnet(4), (1, 28, 28)),
    "ResNet 32 channels": (lambda: resnet(32), (1, 28, 28)),
    "Transformer 16 wide, 8 long": (lambda: Encoder(16), (8, 16)),
    "Transformer 64 wide, 32 long": (lambda: Encoder(64), (32, 16)),
}


class Forced(Builder):
    """A builder whose lift is given."""

    lifted: Lift = Single()

    def lift(self, net: Net, batch: int) -> Lift:
        """The one that is measured."""
        return self.lifted


def rates(name: str, batch: int, threads: int) -> dict[str, float]:
    """Member-steps a second of the two ways."""
    build, shape = MODULES[name]
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, *shape, generator=generator)
    targets = torch.eye(10)[torch.randint(10, (len(inputs),), generator=generator)]
    source = Source(inputs, targets, torch.arange(len(inputs)), "classification")
    recipe = Recipe(
        tuple(technique(n)() for n in ("dropout", "weight_decay", "label_smoothing")), Setting(batch_size=batch)
    )
    best: dict[str, float] = {}
    with ExitStack() as stack:
        crowds = {}
        for way, lift in LIFTS.items():
            builder = Forced(source, build)
            builder.lifted = lift
            crowds[way] = stack.enter_context(Population(builder, [source], threads))
            crowds[way].enter([Member(i, recipe, seed=i, epochs=10**6) for i in range(MEMBERS)])
            crowds[way].advance()
        for _ in range(ROUNDS):
            for way, crowd in crowds.items():
                begin, before = time.perf_counter(), crowd.gradient_evaluations
                while (spent := time.perf_counter() - begin) < SECONDS:
                    crowd.advance()
                best[way] = max(best.get(way, 0.0), (crowd.gradient_evaluations - before) / spent)
    return best


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", default="", help="modules whose name begins so")
    asked = parser.parse_args()
    counts = [int(n) for n in asked.threads.split(",")]
    print(
        "| module | batch | multiply-adds | threads | stacked | one at a time | ratio |\n|---|---|---|---|---|---|---|"
    )
    for name in (own for own in MODULES if own.startswith(asked.only)):
        build, shape = MODULES[name]
        row = ModuleNet(build, torch.zeros(2, *shape)).multiply_adds
        for batch in (32, 128):
            size = f"{row * batch / 1e6:.3g}"
            for threads in counts:
                own = rates(name, batch, threads)
                stacked, single = own["stacked"], own["one at a time"]
                cells = (name, batch, size, threads, f"{stacked:,.0f}", f"{single:,.0f}", f"{stacked / single:.2f}")
                print(f"| {' | '.join(map(str, cells))} |", flush=True)
