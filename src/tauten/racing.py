"""The race run for real: it joins race, samplers, populations and journal, and reports on the way.

The slots are two **shifts** that take turns: while one trains, the other's results are digested (scored, journaled,
decided on), its free slots are filled, and the samplers are asked for the next recipes; so the engine waits for nobody.
Turns strictly alternate, so what is decided on what is known when depends on no clock.

A round is one epoch of all members of a shift, and one entry of the journal. A resumed race reads the rounds back,
takes the same decisions, and trains from the start those members that were in training when it was cut off: isolation
makes them the same to the bit.
"""

import dataclasses
import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.folds import Fold
from tauten.lane import Lane
from tauten.member import Group, Member
from tauten.metrics import Metric
from tauten.population import Population
from tauten.race import Entry, Finish, Leave, Race, next_lane, place
from tauten.recipe import Recipe
from tauten.replay import recall
from tauten.sampler import Sampler
from tauten.shift import Shift
from tauten.trial import Trial
from tauten.unrecorded import Recorder

SHIFTS = 2
SLOTS, TORCH_SLOTS = 16, 32
"""Members of a shift: few, so that the sampler soon hears how they do, but more on torch's engines, whose operations
need company. Part of what a seed reproduces, so the same on every machine."""


def slots(builder: Builder) -> int:
    """Members of a shift of the race."""
    return min(SLOTS if builder.fast else TORCH_SLOTS, builder.room)


@dataclasses.dataclass(frozen=True)
class Standing:
    """How the race stands after a round; `best` is the figure of `metric` that people read."""

    training: int
    entered: int
    left: int
    finished: int
    metric: str
    best: float
    best_recipe: tuple[str, ...]
    gradient_evaluations: int


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Seconds of the race, from the journal: the engine at work, the engine waiting between rounds, samplers asked."""

    training: float = 0.0
    waiting: float = 0.0
    asking: float = 0.0


class Racing:
    """One race, from the first members to its close; `trials` holds everyone who took part.

    `timed` is a race against the clock, whose samplers are asked only while the engine trains; otherwise they are asked
    until every lane's stock is full, whatever that takes, so that a seed gives the same race again. `slots` are members
    of a shift, where not as many as suit the engine.
    """

    def __init__(
        self,
        race: Race,
        queues: Mapping[str, list[tuple[Recipe, bool]]],
        samplers: Mapping[str, Sampler | None],
        folds: Sequence[Fold],
        metric: Metric,
        full_epochs: int,
        seed: int,
        limit: int | None,
        timed: bool = False,
        slots: int | None = None,
    ) -> None:
        self.race, self.trials, self.lanes = race, dict[int, Trial](), dict[str, Lane]()
        self.gradient_evaluations, self.seconds = 0, Seconds()
        for name, queue in queues.items():
            self.lanes[name] = Lane(queue, samplers[name])
        self._folds, self._metric = folds, metric
        self._full, self._seed, self._limit, self._timed = full_epochs, seed, limit, timed
        self._slots, self._shifts = slots, list[Shift]()
        self._size: Callable[[Recipe], int] = lambda recipe: 1
        self._paces: deque[float] = deque(maxlen=64)
        self._members, self._left, self._finished, self._ended = 0, 0, 0, math.nan

    def run(
        self,
        builder: Builder,
        journal: Recorder,
        threads: int,
        over: Callable[[], bool],
        watch: Callable[[Standing], None],
    ) -> None:
        """Race until `over` (asked after each round, and journaled) or until nobody is left to enter."""
        sources, self._size = [f.source for f in self._folds], builder.size
        with ExitStack() as stack:
            populations = [stack.enter_context(Population(builder, sources, threads)) for _ in range(SHIFTS)]
            driver = ThreadPoolExecutor(1)
            stack.callback(driver.shutdown, cancel_futures=True)
            self._shifts = [Shift(population, self._folds, self._slots or slots(builder)) for population in populations]
            self._ask(lambda: False)
            for shift in self._shifts:
                self._refill(shift)
            order, last = itertools.cycle(self._shifts), math.inf
            for turn in itertools.count():
                if not any(s.training for s in self._shifts):
                    return
                shift = next(s for s in order if s.training)
                other = next(s for s in self._shifts if s is not shift)
                replayed = journal.replaying
                if not replayed:
                    shift.start(driver)
                    if turn <= last or self.race.closed:
                        other.start(driver)
                answer = journal.once("round", partial(self._round, shift, over), key=turn, sync=turn % 16 == 0)
                if replayed:
                    recall(answer, self.lanes, shift)
                self._take(answer, shift)
                last = min(last, turn) if answer["over"] else last
                # What the other shift has under way is finished and counted, before all but the protected leave.
                if not self.race.closed and (turn > last or (turn == last and not other.training)):
                    self._decide(self.race.close())
                if turn < last:
                    self._refill(shift)
                    # Who waited for the outcome of this shift may have left the other one empty.
                    if not other.training:
                        self._refill(other)
                watch(self._standing())

    @property
    def pace(self) -> float | None:
        """Work a second of training, the median over the latest rounds; None before the third."""
        return median(self._paces) if len(self._paces) > 2 else None

    @property
    def owed(self) -> int:
        """Work that protected trials have still to take, also when the race is closed."""
        going = [self.trials[id] for s in self._shifts for id in s.going if self.trials[id].protected]
        folds = self.race.rungs[-1].folds
        return sum(
            max(t.recipe.setting.epochs - len(t.scores.get(fold, [])), 0) * max(t.costs.values()) * t.size
            for t in going
            for fold in range(folds)
        )

    def entered(self, lane: str) -> list[Trial]:
        """Trials of a lane, in order of entry."""
        return [t for t in self.trials.values() if t.lane == lane]

    def finalists(self, k: int, lane: str) -> list[Trial]:
        """The best trials of a lane that are not sick, each recipe once."""
        chosen: dict[str, Trial] = {}
        for id in self.race.leaders(lane):
            if len(chosen) == k:
                break
            chosen.setdefault(self.trials[id].recipe.key, self.trials[id])
        return list(chosen.values())

    def _ask(self, interrupted: Callable[[], bool]) -> list[list[object]]:
        """Fill the lanes' stocks, the emptiest first; what was answered, as (lane, values)."""
        asked: list[list[object]] = []
        while not interrupted():
            left = math.inf if self._limit is None else self._limit - len(self.trials)
            name = max(self.lanes, key=lambda k: self.lanes[k].missing)
            if self.race.closed or not self.lanes[name].missing or sum(v.stock for v in self.lanes.values()) >= left:
                break
            asked.append([name, self.lanes[name].ask()])
        return asked

    def _refill(self, shift: Shift) -> None:
        width = self.race.rungs[0].folds
        waiting: set[str] = set()
        while len(shift.training) + width <= shift.slots and len(self.trials) != self._limit:
            lanes = [name for name, lane in self.lanes.items() if not lane.dry and name not in waiting]
            if not lanes:
                return
            name = next_lane({k: self.lanes[k].spent for k in lanes}, tuple(lanes))
            newcomer = self.lanes[name].next()
            if newcomer is None:
                waiting.add(name)
            else:
                recipe, protected, asked = newcomer
                protected |= recipe.setting.epochs > self._full  # for what is longer time was set aside
                trial = Trial(len(self.trials), name, recipe, asked, protected, self._size(recipe))
                self.trials[trial.id] = trial
                self._train_on(shift, trial, self.race.enter(trial.id, lane=name, protected=protected))

    def _train_on(self, shift: Shift, trial: Trial, entry: Entry) -> None:
        epochs = trial.recipe.setting.epochs
        shift.going.add(trial.id)
        trial.until = max(1, round(entry.until * epochs / self._full))
        for fold in entry.folds:
            if fold not in trial.members:
                seed = derive_seed("race", self._seed, fold)
                member = trial.members[fold] = Member(self._members, trial.recipe, seed, fold, epochs)
                group = Group.of(member, self._folds[fold].source)
                trial.costs[fold] = group.epoch_steps * group.passes
                self._members += 1
            missing = trial.until - len(trial.scores.get(fold, []))
            if missing > 0:
                shift.training[trial.members[fold].id] = (trial, fold)
                # Counted when promised, so that a first round of many entries is shared out too.
                self.lanes[trial.lane].spent += missing * trial.costs[fold] * trial.size

    def _round(self, shift: Shift, over: Callable[[], bool]) -> dict[str, object]:
        begin = perf_counter()
        asked = self._ask(lambda: self._timed and shift.ready)
        asking = perf_counter() - begin
        trained = shift.finish()
        waiting = 0.0 if math.isnan(self._ended) else max(trained.begin - self._ended, 0.0)
        self._ended = trained.end
        scores = shift.scores(trained.outputs, self._metric)
        return {
            "members": [[id, trained.losses[id], *scores[id]] for id in sorted(shift.training)],
            "asked": asked,
            "seconds": [round(s, 6) for s in (trained.end - trained.begin, waiting, asking)],
            "over": over(),
        }

    def _take(self, answer: Mapping[str, Any], shift: Shift) -> None:
        done, work = 0, 0
        for id, loss, score, stop in answer["members"]:
            trial, fold = shift.training[id]
            trial.losses.setdefault(fold, []).append(loss)
            trial.scores.setdefault(fold, []).append(score)
            if stop is not None:
                trial.stops.setdefault(fold, []).append(stop)
            done += trial.costs[fold]
            work += trial.costs[fold] * trial.size
        training, waiting, asking = answer["seconds"]
        spent = self.seconds
        self.seconds = Seconds(
            round(spent.training + training, 6), round(spent.waiting + waiting, 6), round(spent.asking + asking, 6)
        )
        self._paces.append(work / max(training, 1e-9))
        self.gradient_evaluations += done
        while reached := self._reached(shift):
            self._decide(self.race.report(reached))

    def _reached(self, shift: Shift) -> dict[int, float]:
        """Trials at the end of their way to a rung, or sick on it. (Short trials may meet two rungs at one epoch.)"""
        reached = {}
        for id in sorted(shift.going):
            trial = self.trials[id]
            curves = [trial.scores.get(f, []) for f in trial.members]
            if not all(math.isfinite(c[-1]) for c in curves if c):
                reached[id] = math.inf
            elif all(len(c) >= trial.until for c in curves):
                reached[id] = trial.score(trial.members)
        return reached

    def _decide(self, decisions: Sequence[Entry | Leave | Finish]) -> None:
        for decision in decisions:
            trial = self.trials[decision.trial]
            shift = next(s for s in self._shifts if trial.id in s.going)
            shift.going.discard(trial.id)
            for member in trial.members.values():
                shift.training.pop(member.id, None)
            if isinstance(decision, Entry):
                self._train_on(shift, trial, decision)
            self._left += isinstance(decision, Leave)
            self._finished += isinstance(decision, Finish)
            if trial.asked is not None:
                # At every rung, not only at the end: the promising take longest, and the sampler should follow them.
                at = self.race.standing(trial.id)
                done, healthy = at.state == "finished", at.state != "sick"
                self.lanes[trial.lane].tell(trial.asked, at.rung or 0, at.score if healthy else None, done)

    def _standing(self) -> Standing:
        first = [next(self.race.leaders(lane), None) for lane in self.lanes]
        best = min((self.race.standing(id) for id in first if id is not None), key=place, default=None)
        return Standing(
            training=sum(len(s.training) for s in self._shifts),
            entered=len(self.trials),
            left=self._left,
            finished=self._finished,
            metric=self._metric.name,
            best=self._metric.shown(best.score) if best and best.score is not None else math.nan,
            best_recipe=self.trials[best.trial].recipe.names if best else (),
            gradient_evaluations=self.gradient_evaluations,
        )
