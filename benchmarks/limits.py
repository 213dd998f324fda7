"""Where an engine's time goes: matrix products, normalization, draws, optimizer, other operations, Python.

    python benchmarks/limits.py [--members 16]

The stacked engine on one thread under torch's profiler, which itself adds about a microsecond to each operation: its
shares are those of the profiled run. The native engine on one thread, built once more with a clock in it that is read
where one part ends and the next begins. Written to `figures/throughput/limits.json`.
"""

import argparse
import contextlib
import ctypes
import functools
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ours
import torch
from record import save, sentence
from shapes import BATCH, SHAPES, Shape
from torch.profiler import ProfilerActivity, profile, record_function

PLACES = ("matrix products", "normalization", "draws", "optimizer", "other operations", "Python")
NAMES = {
    "matrix products": re.compile(r"aten::(mm|bmm|addmm|baddbmm|linear|_?mkldnn\w*|_scaled_mm)$"),
    "normalization": re.compile(r"aten::\w*batch_norm\w*$"),
}
"""Operations that are told by their names, forward and backward; the rest by the function that they are called from."""
STEPS = 24
TICKS = ("Python", "other operations", "matrix products", "optimizer", "draws", "normalization")
"""What the native library's clock tells apart, in its order."""


@contextlib.contextmanager
def marked() -> Iterator[None]:
    """Within it, calls into Tauten's draws, normalization and optimizer carry their names in the profile."""
    from tauten import optim
    from tauten.draws import Draws
    from tauten.technique import technique

    draws = [name for name, own in vars(Draws).items() if callable(own) and not name.startswith("__")]
    functions: list[tuple[Any, str, str]] = [
        *((Draws, name, "draws") for name in draws if name not in ("at", "_words", "_shaped")),
        (technique("batch_norm"), "normalize", "normalization"),
        (technique("weight_decay"), "weights", "optimizer"),
        (optim, "step", "optimizer"),
    ]
    kept = [(owner, name, vars(owner)[name]) for owner, name, _ in functions]
    for (owner, name, place), (_, _, function) in zip(functions, kept, strict=True):
        setattr(owner, name, _named(function, place))
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


def stacked(shape: Shape, members: int) -> dict[str, float]:
    """Shares of the stacked engine's time, by place."""
    from tauten.engines.stacked import Stacked
    from tauten.member import Member
    from tauten.testing import engine_for

    recipe, source = ours.problem(shape)
    crowd = [Member(i, recipe, seed=i, epochs=ours.EPOCHS) for i in range(members)]
    with marked():
        # Straight on the engine: the profiler sees this thread only, and a population works on others.
        engine = engine_for(crowd[0], [source], Stacked(), members)
        engine.admit(crowd)
        engine.run(STEPS)
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            begin = time.perf_counter()
            engine.run(STEPS)
            wall = (time.perf_counter() - begin) * 1e6
    spent: Counter[str] = Counter()
    for event in seen.events():
        if not event.name.startswith("tauten/"):
            spent[_place(event)] += event.self_cpu_time_total
    shares = {place: spent[place] / wall for place in PLACES[:-1]}
    return {**shares, "Python": max(0.0, 1 - sum(shares.values()))}


def profiled(folder: Path) -> ctypes.CDLL:
    """The native engine's library with its clock, for this processor."""
    from tauten.native import build
    from tauten.native.library import cpu_features

    variant = next(v for v in build.variants() if cpu_features().issuperset(build.VARIANTS[v]))
    target = folder / "profile.so"
    flags = [*build.FLAGS, *build.machine_flags(variant), "-DTAUTEN_PROFILE"]
    subprocess.run([*build.compiler(), *flags, str(build.HERE / "tauten.cpp"), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def native(shape: Shape, members: int, library: ctypes.CDLL) -> dict[str, float]:
    """Shares of the native engine's time, by place, over calls of one epoch each."""
    from tauten.member import Member
    from tauten.testing import NATIVE, engine_for

    recipe, source = ours.problem(shape)
    crowd = [Member(i, recipe, seed=i, epochs=ours.EPOCHS) for i in range(members)]
    engine = engine_for(crowd[0], [source], NATIVE)
    engine.admit(crowd)
    ticks = (ctypes.c_int64 * len(TICKS))()
    for _ in range(2):
        library.tauten_profile(ticks)
        for _ in range(6):
            engine.run(len(source.train) // BATCH)
    library.tauten_profile(ticks)
    spent = Counter(dict.fromkeys(PLACES, 0.0))
    for place, own in zip(TICKS, ticks, strict=True):
        spent[place] += own / sum(ticks)
    return dict(spent)


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """What limits each engine, from `limits.json`; nothing where it was not measured."""
    if "limits" not in found:
        return []
    lines = ["### What limits the engines now", "", f"| engine | net | {' | '.join(PLACES)} |"]
    lines.append("|---" * (len(PLACES) + 2) + "|")
    for engine, nets in found["limits"]["engines"].items():
        for net, shares in nets.items():
            cells = [f"{shares[place]:.0%}" if place in shares else "" for place in PLACES]
            lines.append(f"| {engine} | {net} | {' | '.join(cells)} |")
    told = (
        "Shares of the time of one thread; *stacked* under torch's profiler, whose own cost is in it: what the backward"
    )
    told += " pass does outside of products and native normalization counts as other operations; *native* by a clock in"
    told += " a build of its own, with activation and dropout's mask counted as normalization. Made by"
    return [*lines, "", told, "", "    python benchmarks/limits.py", "", f"{sentence([found['limits']])}.", ""]


def _named(function: Callable[..., Any], place: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        with record_function(f"tauten/{place}"):
            return function(*given, **named)

    return call


def _place(event: Any) -> str:
    for place, name in NAMES.items():
        if name.match(event.name):
            return place
    above = event.cpu_parent
    while above is not None and not above.name.startswith("tauten/"):
        above = above.cpu_parent
    return above.name.removeprefix("tauten/") if above is not None else "other operations"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=16)
    members = parser.parse_args().members
    torch.set_num_threads(1)
    engines = {"stacked": {shape.name: stacked(shape, members) for shape in SHAPES.values()}}
    with tempfile.TemporaryDirectory() as folder:
        from tauten.native import interface

        library = profiled(Path(folder))
        interface.library = lambda: library
        interface.opened.cache_clear()
        engines["native"] = {shape.name: native(shape, members, library) for shape in SHAPES.values()}
    save("throughput", "limits", {"members": members, "engines": engines})
