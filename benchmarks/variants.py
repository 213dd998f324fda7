"""The native engine by instruction set: member-steps a second on one core, and the share of what that set could do.

    python benchmarks/variants.py

Each set in a process of its own with TAUTEN_NATIVE set; medians of five, one member, fp32. Written to
`figures/throughput/variants.json`.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import ours
from record import save, sentence
from shapes import BATCH, SHAPES

REPEATS, SECONDS = 5, 0.5


def measured() -> dict[str, Any]:
    """Peak (GFLOP/s) and member-steps a second on each net, with the library that this process has open."""
    from tauten.member import Member
    from tauten.native.interface import interface
    from tauten.testing import NATIVE, engine_for

    peaks = [interface().tauten_peak(0.2, 0) for _ in range(REPEATS)]
    rates = {}
    for shape in SHAPES.values():
        recipe, source = ours.problem(shape)
        engine = engine_for(Member(0, recipe, 1), [source], NATIVE)
        engine.admit([Member(0, recipe, 1, epochs=ours.EPOCHS)])
        engine.run(8)
        found = []
        for _ in range(REPEATS):
            begin, steps = time.perf_counter(), 0
            while time.perf_counter() - begin < SECONDS:
                engine.run(len(source.train) // BATCH)
                steps += len(source.train) // BATCH
            found.append(steps / (time.perf_counter() - begin))
        rates[shape.name] = statistics.median(found)
    return {"peak": statistics.median(peaks), "rates": rates}


def run() -> dict[str, Any]:
    """Every set that this processor has and that was built."""
    from tauten.native.build import VARIANTS, path
    from tauten.native.library import cpu_features

    found = {}
    for variant, needs in VARIANTS.items():
        if cpu_features().issuperset(needs) and path(variant).exists():
            environment = {**os.environ, "TAUTEN_NATIVE": variant, "OMP_NUM_THREADS": "1"}
            command = [sys.executable, __file__, "--one"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found[variant] = json.loads(done.stdout)
    return found


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """The lines of docs/performance.md; none where it was not measured."""
    if "variants" not in found:
        return []
    nets = [shape.name for shape in SHAPES.values()]
    lines = ["### By instruction set, one core", "", f"| set | FMA peak, GFLOP/s | {' | '.join(nets)} |"]
    lines.append("|---" * (len(nets) + 2) + "|")
    flops = {shape.name: shape.flops for shape in SHAPES.values()}
    for variant, own in found["variants"]["variants"].items():
        cells = [f"{rate:,.0f} ({rate * flops[net] / own['peak'] / 1e9:.0%})" for net, rate in own["rates"].items()]
        lines.append(f"| {variant} | {own['peak']:.0f} | {' | '.join(cells)} |")
    told = "Member-steps a second in fp32, and the share of that set's own peak. Made by"
    return [*lines, "", told, "", "    python benchmarks/variants.py", "", f"{sentence([found['variants']])}.", ""]


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(measured()))
    else:
        save("throughput", "variants", {"variants": run()})
