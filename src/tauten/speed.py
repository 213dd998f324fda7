"""How fast this machine trains a recipe on this problem, measured on a few batches."""

import dataclasses
import time
from collections.abc import Iterable

from tauten.builder import Builder
from tauten.member import Member, Source
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique

BATCHES = 12


def mixed(kinds: Iterable[type[Technique]], setting: Setting) -> Recipe:
    """Every technique that goes with all others, at once: a block carries the techniques of all its members, and
    everyone in it pays for them."""
    return Recipe(tuple(k() for k in kinds if k.passes == 1 and not (k.structural() or k.excludes)), setting)


def gradients_a_second(
    builder: Builder, source: Source, recipe: Recipe, threads: int, members: int, batches: int = BATCHES
) -> float:
    """Gradient evaluations a second with so many members in training; a second gradient of a step counts."""
    few = dataclasses.replace(source, train=source.train[: batches * recipe.setting.batch_size])
    with Population(builder, [few], threads) as population:
        population.enter([Member(i, recipe, i, 0, 2) for i in range(members)])
        population.advance()
        begin, done = time.perf_counter(), population.gradient_evaluations
        population.advance()
        return (population.gradient_evaluations - done) / (time.perf_counter() - begin)


def work_a_second(
    builder: Builder, source: Source, recipe: Recipe, threads: int, members: int, batches: int = BATCHES
) -> float:
    """The same as work (`Builder.work`)."""
    return gradients_a_second(builder, source, recipe, threads, members, batches) * builder.size(recipe)
