"""What a population costs as it grows: members, rows, features, folds, techniques; and the sampler's own time.

    python benchmarks/scaling.py run [--only members,rows] [--again]
    python benchmarks/scaling.py table

A part is one axis. Every point of it is measured in a process of its own, whose peak of memory, less what it held
before the members came, is theirs.
"""

import math
import multiprocessing
import os
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ours
from record import command, cores, load, missing, save, sentence
from shapes import BATCH, SHAPES

NAME = "scaling"
SECONDS, EPOCHS = 0.5, 3
"""A point is the median of at least so many epochs, over at least so many seconds; one epoch where it is longer."""
LINEAR = 1.1
"""The largest exponent that is still called linear."""
MOST_MEMORY = 1.5e9
"""Target for 64 members of the widest network, in bytes."""
TRIALS, MOST_SECONDS = 10_000, 150.0
MARKS = (100, 300, 1_000, 3_000, 10_000)
AXES: dict[str, tuple[str, Sequence[int]]] = {
    "members": ("members", (1, 4, 16, 64, 256, 1_024)),
    "rows": ("rows trained on, 8 members", (1_000, 10_000, 100_000, 1_000_000)),
    "features": ("features, 8 members", (10, 100, 1_000, 10_000)),
    "folds": ("folds of 8 recipes", (2, 5, 10, 20, 40)),
    "techniques": ("techniques of 32 members (one gradient pass)", (1, 2, 4, 8, 13)),
    "wide": (f"members of {SHAPES['wide'].name}", (8, 16, 32, 64)),
}
HEAD = """## Scaling

Seconds of one epoch (batches of 128, network 64-128-128-10 unless said otherwise) and memory (the peak of the process
less what it held before the members came), each point in a process of its own. Exponents are least squares on
logarithms over the upper half of the axis; below it fixed costs and idle cores show. Dotted lines in the plot have
exponent 1. Made by

    python benchmarks/scaling.py run
"""


def sources(axis: str, size: int) -> list[Any]:
    """The data of a point; its folds share the rows and differ in which of them they train on."""
    import torch

    from tauten.member import Source
    from tauten.testing import problem

    rows = {"rows": size * 5 // 4, "folds": 5_000}.get(axis, 1_280)
    whole = problem(rows, size if axis == "features" else 64, 10, "classification")
    if axis != "folds":
        return [whole]
    fold = torch.arange(rows) % size
    return [Source(whole.inputs, whole.targets, torch.nonzero(fold != i)[:, 0], whole.task) for i in range(size)]


def members(axis: str, size: int) -> list[Any]:
    """The members of a point."""
    from tauten.member import Member
    from tauten.recipe import Recipe
    from tauten.setting import Setting
    from tauten.technique import technique

    shape = SHAPES["wide" if axis == "wide" else "small"]
    setting = Setting(batch_size=BATCH, width=shape.width, depth=shape.depth, epochs=ours.EPOCHS)
    names = compatible()[:size] if axis == "techniques" else ["batch_norm", "dropout", "weight_decay"]
    recipe = Recipe(tuple(technique(name)() for name in names), setting)
    folds = size if axis == "folds" else 1
    count = {"members": size, "wide": size, "techniques": 32}.get(axis, 8)
    return [Member(i, recipe, i, i % folds, ours.EPOCHS) for i in range(count * folds)]


def compatible() -> list[str]:
    """Techniques that one recipe may hold together; none with a second gradient pass, which just doubles the cost."""
    from tauten.technique import technique, techniques

    chosen: list[str] = []
    for name in sorted(techniques()):
        kind, others = technique(name), [technique(other) for other in chosen]
        if kind.passes == 1 and not any(name in t.excludes or t.name in kind.excludes for t in others):
            chosen.append(name)
    return chosen


def epoch(axis: str, size: int) -> dict[str, float]:
    """Seconds of an epoch and bytes of memory at one point; to be called in a process of its own."""
    from tauten.builder import Builder
    from tauten.population import Population

    data = sources(axis, size)
    crowd, times = members(axis, size), []
    before = peak_memory()
    with Population(Builder(data[0]), data, cores()) as population:
        population.enter(crowd)
        begin = time.perf_counter()
        population.advance()
        warm = time.perf_counter() - begin
        while warm < 5 and (len(times) < EPOCHS or sum(times) < SECONDS):
            begin = time.perf_counter()
            population.advance()
            times.append(time.perf_counter() - begin)
    seconds = statistics.median(times) if times else warm
    return {"size": size, "seconds": seconds, "bytes": peak_memory() - before, "members": len(crowd)}


def peak_memory() -> int:
    """The most bytes that this process has held at once; `getrusage` would count the parent's where there is /proc."""
    try:
        told = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        told = None
    return int(told[1]) * 1024 if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def sampler(axis: str, size: int) -> dict[str, Any]:
    """Seconds that TPE has taken after so many trials, each asked, built and told; a quarter of them finish."""
    from tauten.sampler import make_sampler
    from tauten.setting import Setting
    from tauten.space import Space
    from tauten.technique import technique, techniques

    space = Space(Setting(), tuple(technique(name) for name in techniques()))
    proposer, begin, marks = make_sampler("tpe", space, seed=0), time.perf_counter(), []
    for trial in range(size):
        recipe = proposer.build(proposer.ask() or {})
        score = abs(math.log10(recipe.setting.learning_rate) + 2.7) + 0.1 * len(recipe.techniques)
        proposer.tell(trial, trial % 4, score, trial % 4 == 3)
        seconds = time.perf_counter() - begin
        if trial + 1 in MARKS:
            marks.append({"size": trial + 1, "seconds": seconds})
        if seconds > MOST_SECONDS:
            break
    return {"points": marks, "trials": trial + 1, "seconds": seconds}


def alone(call: Callable[[str, int], Any], axis: str, size: int) -> Any:
    """The answer of a call in a fresh process."""
    start = multiprocessing.get_context("spawn")
    pipe, other = start.Pipe()
    process = start.Process(target=_answer, args=(other, call, axis, size))
    process.start()
    other.close()
    try:
        return pipe.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{axis} {size:,} ended without an answer, exit code {process.exitcode}.") from None
    finally:
        process.join()


def run(only: str, again: bool) -> None:
    """Measure the axes asked for, each written when it is finished."""
    os.environ.pop("OMP_NUM_THREADS", None)
    for part in missing(NAME, [*AXES, "sampler"], only, again):
        begin, before = time.perf_counter(), round(os.getloadavg()[0], 2)
        if part == "sampler":
            figures = alone(sampler, part, TRIALS)
        else:
            sizes = AXES[part][1]
            figures = {"engine": ours.engine(), "points": [alone(epoch, part, size) for size in sizes]}
        save(NAME, part, {"load": before, **figures}, ("tauten", "torch", "numpy", "optuna"))
        print(f"{part}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)


def upper(points: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """The points in the upper half of the axis (by logarithm), at least three where there are."""
    middle = math.sqrt(points[0]["size"] * points[-1]["size"])
    return list(points[min(sum(p["size"] < middle for p in points), max(0, len(points) - 3)) :])


def exponent(points: Sequence[dict[str, float]], key: str = "seconds") -> float | None:
    """The power of the size with which a cost grows over the upper half: least squares on logarithms."""
    held = [(math.log(p["size"]), math.log(p[key])) for p in upper(points) if p[key] > 0]
    if len(held) < 2:
        return None
    return statistics.linear_regression(*zip(*held, strict=True)).slope


def section() -> str:
    """The part of docs/performance.md; empty where nothing was measured."""
    found = load(NAME)
    if not found:
        return ""
    axes = {axis: found[axis] for axis in AXES if axis in found}
    lines = [HEAD]
    if axes:
        lines += ["![Cost against size](figures/scaling.svg)", ""]
        lines += ["| | sizes | seconds an epoch | exponent | memory, MB | exponent | |", "|---" * 7 + "|"]
        lines += [_row(AXES[axis][0], part["points"]) for axis, part in axes.items()]
        lines += ["", _linear({axis: part["points"] for axis, part in axes.items()}), ""]
    if "members" in axes:
        lines += [_each("64-128-128-10", axes["members"]["points"]), ""]
    if "wide" in axes:
        last = axes["wide"]["points"][-1]
        met = "met" if last["bytes"] < MOST_MEMORY else "missed"
        told = f"64 members of {SHAPES['wide'].name} take {last['bytes'] / 1e9:.2f} GB at their peak"
        lines += [f"{told} (target: under {MOST_MEMORY / 1e9} GB, {met}).", ""]
    if "sampler" in found:
        lines += [_sampled(found["sampler"]), ""]
    before = max(part["load"] for part in found.values())
    return "\n".join([*lines, f"{sentence(list(found.values()))}; load before at most {before:.1f}.", ""])


def _row(title: str, points: Sequence[dict[str, float]]) -> str:
    cells = [
        " / ".join(f"{p['size']:,}" for p in points),
        " / ".join(f"{p['seconds']:.3g}" for p in points),
        _power(exponent(points)),
        " / ".join(f"{p['bytes'] / 1e6:.0f}" for p in points),
        _power(exponent(points, "bytes")),
    ]
    return f"| {title} | {' | '.join(cells)} | {'linear or less' if not _steep(points) else 'steeper'} |"


def _power(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _steep(points: Sequence[dict[str, float]]) -> list[str]:
    powers = {key: exponent(points, key) for key in ("seconds", "bytes")}
    return [key for key, power in powers.items() if power is not None and power > LINEAR]


def _linear(axes: dict[str, Sequence[dict[str, float]]]) -> str:
    steep = [f"{key} over {axis}" for axis, points in axes.items() for key in _steep(points)]
    if not steep:
        return f"Nothing grows faster than linearly (exponents at most {LINEAR})."
    return f"Faster than linearly (exponent above {LINEAR}): {', '.join(steep)}."


def _each(name: str, points: Sequence[dict[str, float]]) -> str:
    few, many = (next(p for p in points if p["size"] == size) for size in (64, 1_024))
    more = (many["bytes"] - few["bytes"]) / (many["size"] - few["size"])
    return f"A further member of {name} takes {more / 1e6:.2f} MB (from {few['size']} to {many['size']:,} members)."


def _sampled(part: dict[str, Any]) -> str:
    points = part["points"]
    told = "; ".join(f"{p['size']:,} trials {p['seconds']:.1f} s" for p in points)
    if len(points) > 1:
        a, b = points[-2:]
        told += f", at last {(b['seconds'] - a['seconds']) / (b['size'] - a['size']) * 1e3:.1f} ms a trial"
    end = "" if part["trials"] >= TRIALS else f" It was cut off after {part['trials']:,} trials."
    power = _power(exponent(points))
    return f"The sampler's own time (TPE; asked, built and told): {told}; exponent {power}.{end}"


def _answer(pipe: Any, call: Callable[[str, int], Any], axis: str, size: int) -> None:
    pipe.send(call(axis, size))


if __name__ == "__main__":
    command(__doc__, run, section, "axes")
