"""Member-steps a second of a small population by threads on the stacked engine: why it trains small networks by two.

    python benchmarks/threads.py

64 members of 64-128-128-10 networks in four groups (with and without batch norm, with and without SAM), batch 128; the
cap on threads is lifted for the measurement. Median of three, on a quiet machine.
"""

import statistics
import time

from tauten import population
from tauten.builder import Builder
from tauten.member import Member
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.technique import technique
from tauten.testing import problem

BASE, NORM = (
    ("dropout", "weight_decay", "label_smoothing", "mixup"),
    ("batch_norm", "dropout", "label_smoothing", "ema"),
)
MIX = ((BASE, 24), (NORM, 24), ((*BASE, "sam"), 8), ((*NORM, "sam"), 8))


def measure(threads: int) -> float:
    """Gradient evaluations a second."""
    source = problem(1750, 64, 10, "classification")
    recipes = [Recipe(tuple(technique(n)() for n in names)) for names, count in MIX for _ in range(count)]
    with Population(Builder(source, native=False), [source], threads) as crowd:
        crowd.enter([Member(i, recipe, seed=i, epochs=5) for i, recipe in enumerate(recipes)])
        crowd.advance()
        rates = []
        for _ in range(3):
            begin, done = time.perf_counter(), crowd.gradient_evaluations
            crowd.advance()
            rates.append((crowd.gradient_evaluations - done) / (time.perf_counter() - begin))
    return statistics.median(rates)


if __name__ == "__main__":
    population.SMALL_WEIGHTS = 0
    print("| threads | gradient evaluations a second |\n|---|---|")
    for threads in (1, 2, 3, 4):
        print(f"| {threads} | {measure(threads):,.0f} |", flush=True)
