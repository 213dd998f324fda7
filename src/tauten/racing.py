"""The race run for real: it joins race, sampler, population and journal, and reports on the way.

Every epoch of all members in training is one round and one entry of the journal. A resumed race reads the rounds back,
takes the same decisions, and trains from the start those members that were in training when it was cut off: isolation
makes them the same to the bit.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median

import torch

from tauten.draws import derive_seed
from tauten.folds import Fold
from tauten.member import Group, Member
from tauten.metrics import Metric
from tauten.population import Builder, Population
from tauten.race import Entry, Finish, Leave, Race, next_lane
from tauten.recipe import Recipe
from tauten.sampler import Sampler
from tauten.technique import Stop
from tauten.unrecorded import Recorder

SLOTS = 64
"""Members in training at once; part of what a seed reproduces, so it is the same on every machine."""


@dataclasses.dataclass(eq=False)
class Trial:
    """A recipe in the race: its members by fold, and their curves, one value an epoch."""

    id: int
    lane: str
    recipe: Recipe
    members: dict[int, Member] = dataclasses.field(default_factory=dict)
    scores: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    stops: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    losses: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    until: int = 0

    def score(self, folds: Iterable[int]) -> float:
        """Mean over folds, each at the epoch that the other folds (or the stopping part) choose; inf where sick."""
        values = [self.scores[f][self._epoch(f) - 1] for f in folds]
        return fmean(values) if all(map(math.isfinite, values)) else math.inf

    def duration(self) -> int:
        """Epochs that the recipe's own stop rule takes, by the mean curve over all folds trained furthest."""
        if self._rule is None:
            return self.recipe.setting.epochs
        longest = max(map(len, self._watched.values()))
        return self._stop([c for c in self._watched.values() if len(c) == longest]).best_epoch

    @property
    def _rule(self) -> Callable[[Sequence[float]], Stop] | None:
        return next((t.stop for t in self.recipe.techniques if "stop" in t.hooks), None)

    @property
    def _watched(self) -> dict[int, list[float]]:
        return self.stops or self.scores

    def _epoch(self, fold: int) -> int:
        if self._rule is None:
            return len(self.scores[fold])
        reached = len(self.scores[fold])
        others = [c[:reached] for f, c in self._watched.items() if f != fold or self.stops]
        return self._stop([c for c in others if len(c) == reached]).best_epoch

    def _stop(self, curves: Sequence[Sequence[float]]) -> Stop:
        rule = self._rule
        assert rule is not None
        history = [fmean(values) for values in zip(*curves, strict=True)]
        for epoch in range(1, len(history) + 1):
            answer = rule(history[:epoch])
            if answer.now:
                return answer
        return rule(history)


@dataclasses.dataclass(frozen=True)
class Standing:
    """How the race stands after a round."""

    training: int
    entered: int
    left: int
    finished: int
    best: float
    best_recipe: tuple[str, ...]
    gradient_evaluations: int


class Racing:
    """One race, from the first members to its close; `trials` holds everyone who took part."""

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
    ) -> None:
        self.race, self.trials = race, dict[int, Trial]()
        self.gradient_evaluations = 0
        self._queues = {lane: list(first) for lane, first in queues.items()}
        self._samplers, self._folds, self._metric = dict(samplers), folds, metric
        self._full, self._seed, self._limit = full_epochs, seed, limit
        self._spent = dict.fromkeys(queues, 0.0)
        self._training: dict[int, tuple[Trial, int]] = {}
        self._paces: list[float] = []
        self._inside: set[int] = set()
        self._going: set[int] = set()
        self._members = 0

    def run(
        self,
        builder: Builder,
        journal: Recorder,
        threads: int,
        over: Callable[[], bool],
        watch: Callable[[Standing], None],
    ) -> None:
        """Race until `over` (asked after each round, and journaled) or until nobody is left to enter."""
        with Population(builder, [f.source for f in self._folds], threads) as population:
            turn = 0
            while True:
                self._refill()
                if not self._training:
                    return
                answer = journal.once("round", lambda: self._round(population, over), key=turn, sync=turn % 8 == 0)
                turn += 1
                self._take(answer["members"], population)
                if answer["over"] and not self.race.closed:
                    self._decide(self.race.close(), population)
                watch(self._standing())

    @property
    def pace(self) -> float | None:
        """Gradient evaluations a second of training alone, the median over rounds; None before the third."""
        return median(self._paces) if len(self._paces) > 2 else None

    def entered(self, lane: str) -> list[Trial]:
        """Trials of a lane, in order of entry."""
        return [t for t in self.trials.values() if t.lane == lane]

    def finalists(self, k: int, lane: str) -> list[Trial]:
        """The best trials of a lane that are not sick, each recipe once."""
        chosen: dict[str, Trial] = {}
        for id in self.race.finalists(len(self.trials), lane):
            chosen.setdefault(self.trials[id].recipe.key, self.trials[id])
        return list(chosen.values())[:k]

    def _refill(self) -> None:
        width = self.race.rungs[0].folds
        while not self.race.closed and len(self._training) + width <= SLOTS and len(self.trials) != self._limit:
            lanes = [lane for lane in self._spent if self._queues[lane] or self._samplers[lane]]
            if not lanes:
                return
            lane = next_lane({k: self._spent[k] for k in lanes}, tuple(lanes))
            if not self._enter(lane):
                return

    def _enter(self, lane: str) -> bool:
        id, queue, sampler = len(self.trials), self._queues[lane], self._samplers[lane]
        protected = False
        if queue:
            recipe, protected = queue.pop(0)
        else:
            asked = sampler.ask(id) if sampler else None
            if asked is None:
                self._samplers[lane] = None
                return any(self._queues[k] or self._samplers[k] for k in self._spent)
            recipe = asked
        trial = self.trials[id] = Trial(id, lane, recipe)
        self._train_on(trial, self.race.enter(id, lane=lane, protected=protected))
        return True

    def _train_on(self, trial: Trial, entry: Entry) -> None:
        epochs = trial.recipe.setting.epochs
        self._going.add(trial.id)
        trial.until = max(1, round(entry.until * epochs / self._full))
        for fold in entry.folds:
            if fold not in trial.members:
                seed = derive_seed("race", self._seed, fold)
                trial.members[fold] = Member(self._members, trial.recipe, seed, fold, epochs)
                self._members += 1
            member = trial.members[fold]
            missing = trial.until - len(trial.scores.get(fold, []))
            if missing > 0:
                self._training[member.id] = (trial, fold)
                group = Group.of(member, self._folds[fold].source)
                # Counted when promised, so that a first round of many entries is shared out too.
                self._spent[trial.lane] += missing * group.epoch_steps * group.passes

    def _round(self, population: Population, over: Callable[[], bool]) -> dict[str, object]:
        self._catch_up(population)
        begin, done = time.perf_counter(), population.gradient_evaluations
        progress = population.advance()
        self._paces.append((population.gradient_evaluations - done) / (time.perf_counter() - begin))
        rows = {}
        for id, (_, f) in self._training.items():
            fold = self._folds[f]
            rows[id] = fold.score if fold.stop is None else torch.cat([fold.score, fold.stop])
        outputs = population.evaluate(rows)
        members = []
        for id, (_, f) in sorted(self._training.items()):
            fold = self._folds[f]
            own = fold.contributions(self._metric, outputs[id], rows[id])
            cut = len(fold.score)
            stop = float(own[cut:].mean()) if fold.stop is not None else None
            members.append([id, progress[id].loss, float(own[:cut].mean()), stop])
        return {"members": members, "over": over()}

    def _catch_up(self, population: Population) -> None:
        """Bring into the population whoever is in training and not inside: newcomers, or all of them after a resume."""
        missing: dict[int, list[Member]] = {}
        for id, (trial, fold) in sorted(self._training.items()):
            if id not in self._inside:
                missing.setdefault(len(trial.scores.get(fold, [])), []).append(trial.members[fold])
        for age in range(max(missing, default=0), -1, -1):
            population.enter(missing.get(age, []))
            if age:
                population.advance()
        self._inside |= {m.id for own in missing.values() for m in own}

    def _take(self, members: Sequence[Sequence[float]], population: Population) -> None:
        for id, loss, score, stop in members:
            trial, fold = self._training[int(id)]
            trial.losses.setdefault(fold, []).append(loss)
            trial.scores.setdefault(fold, []).append(score)
            if stop is not None:
                trial.stops.setdefault(fold, []).append(stop)
            group = Group.of(trial.members[fold], self._folds[fold].source)
            self.gradient_evaluations += group.epoch_steps * group.passes
        while reached := self._reached():
            self._decide(self.race.report(reached), population)

    def _reached(self) -> dict[int, float]:
        """Trials at the end of their way to a rung, or sick on it. (Short trials may meet two rungs at one epoch.)"""
        reached = {}
        for id in sorted(self._going):
            trial = self.trials[id]
            curves = [trial.scores.get(f, []) for f in trial.members]
            if not all(math.isfinite(c[-1]) for c in curves if c):
                reached[id] = math.inf
            elif all(len(c) >= trial.until for c in curves):
                reached[id] = trial.score(trial.members)
        return reached

    def _decide(self, decisions: Sequence[Entry | Leave | Finish], population: Population) -> None:
        for decision in decisions:
            trial = self.trials[decision.trial]
            self._going.discard(trial.id)
            if isinstance(decision, Entry):
                self._train_on(trial, decision)
                idle = [m.id for f, m in trial.members.items() if len(trial.scores.get(f, [])) >= trial.until]
                self._drop(idle, population)
                continue
            self._drop([m.id for m in trial.members.values()], population)
            sampler = self._samplers.get(trial.lane)
            if sampler:
                done = isinstance(decision, Finish)
                rung = len(self.race.rungs) - 1 if isinstance(decision, Finish) else decision.rung
                known = {s.trial: s.score for s in self.race.standings()}[trial.id]
                sampler.tell(trial.id, rung, known, done)

    def _drop(self, members: Sequence[int], population: Population) -> None:
        population.leave(self._inside & set(members))
        self._inside -= set(members)
        for id in members:
            self._training.pop(id, None)

    def _standing(self) -> Standing:
        standings = self.race.standings()
        best = next((s for s in standings if s.score is not None), None)
        states = [s.state for s in standings]
        return Standing(
            training=len(self._training),
            entered=len(self.trials),
            left=sum(s in ("behind", "sick", "budget") for s in states),
            finished=states.count("finished"),
            best=best.score if best and best.score is not None else math.nan,
            best_recipe=self.trials[best.trial].recipe.names if best else (),
            gradient_evaluations=self.gradient_evaluations,
        )
