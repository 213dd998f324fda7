"""Tauten as a contender: a population of equal members, and the machine's own peaks."""

import ctypes
import inspect
import time
from collections.abc import Iterator
from typing import Any

import torch
from shapes import BATCH, DECAY, DROPOUT, RATE, ROWS, SMOOTHING, Images, Shape

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
EPOCHS = 100_000
"""Longer than any measurement, so that no member comes to its end."""


def precisions() -> list[str]:
    """Those that the native engine can be asked for."""
    from tauten.builder import Builder

    return ["fp32", "bf16"] if "precision" in inspect.signature(Builder).parameters else ["fp32"]


def recipe(shape: Shape | Images) -> Any:
    """The recipe that is compared."""
    from tauten.recipe import Recipe
    from tauten.setting import Setting
    from tauten.technique import technique

    values = {
        "batch_norm": {},
        "dropout": {"p": DROPOUT},
        "label_smoothing": {"epsilon": SMOOTHING},
        "weight_decay": {"strength": DECAY},
    }
    setting = Setting(
        learning_rate=RATE, batch_size=BATCH, width=shape.width, depth=shape.depth, skip=False, epochs=EPOCHS
    )
    return Recipe(tuple(technique(name).from_dict(own) for name, own in values.items()), setting)


def problem(shape: Shape | Images) -> tuple[Any, Any]:
    """The recipe, and the data."""
    from tauten.testing import problem

    return recipe(shape), problem(ROWS * 5 // 4, shape.row, shape.outputs, "classification")


def population(
    shape: Shape | Images, members: int, threads: int, native: bool, precision: str = "fp32"
) -> Iterator[int]:
    """Members of one recipe with different seeds, on the native or a torch engine; a visit is one epoch of all."""
    from tauten.builder import Builder
    from tauten.member import Member
    from tauten.population import Population

    own, source = problem(shape)
    extra = {} if precision == "fp32" else {"precision": precision}
    # Convolutions are torch's in either case, and in bf16 only beside the native engine.
    builder = Builder(source, native=native or isinstance(shape, Images), **extra)
    if builder.native(own) != native:
        raise RuntimeError(f"the recipe needs the native engine to be measured; here is {engine()}.")
    with Population(builder, [source], threads) as crowd:
        crowd.enter([Member(i, own, seed=i, epochs=EPOCHS) for i in range(members)])
        while True:
            before = crowd.gradient_evaluations
            crowd.advance()
            yield crowd.gradient_evaluations - before


def product(shape: Shape, precision: str) -> Iterator[int]:
    """torch's matrix product of a batch and a hidden layer's weights; work in floating-point operations."""
    kind = PRECISIONS[precision]
    x, w, out = (torch.randn(n, shape.width).to(kind) for n in (BATCH, shape.width, BATCH))
    repeats = max(1, 10**9 // (2 * BATCH * shape.width**2))
    while True:
        for _ in range(repeats):
            torch.mm(x, w, out=out)
        yield repeats * 2 * BATCH * shape.width**2


def library() -> ctypes.CDLL | None:
    """The native engine's library, where there is one that can measure the core's peak."""
    from tauten.native.library import library as opened

    found = opened()
    return found if found is not None and hasattr(found, "tauten_peak") else None


def engine() -> str:
    """The engine that networks are trained on here, as Tauten names it."""
    from tauten.native.library import describe

    return describe()


def peak(precision: str) -> Iterator[float]:
    """The most that one core can multiply and add, by the native library's own loop; in floating-point operations."""
    measure = library().tauten_peak
    measure.restype, measure.argtypes = ctypes.c_double, [ctypes.c_double, ctypes.c_int]
    while True:
        begin = time.perf_counter()
        rate = measure(0.2, precision == "bf16")
        yield rate * 1e9 * (time.perf_counter() - begin)
