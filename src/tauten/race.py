"""Who enters, who stays, who leaves: asynchronous successive halving with refill, over recipes whose folds are members.

The race is fed numbers and answers with decisions; it trains nothing, waits for nothing, draws nothing and reads no
clock, so the same numbers always give the same decisions. It is a class and not a generator, because the caller asks
two questions at unlike times, "a slot is free, who takes it?" and "these trials reached their rung, what now?", and
looks at the standings in between; a generator would fold both into one channel and hide the standings.

    race = Race(ladder(epochs, folds))
    while the budget lasts:
        while slots are free:      start(race.enter(trial))
        train every member one epoch
        for decision in race.report({trial: mean score over its folds, for each trial that reached its rung}):
            match decision: Entry → train on; Leave, Finish → free its slots
    race.close()

Asynchronous: nobody waits for a rung to fill. A trial is compared with everyone who was at that rung before it or with
it, so the first comers go on, and a late but better trial overtakes them (Li et al. 2020, arXiv:1810.05934, in its
stopping form: a trial that left is not called back, because its weights are gone with its slot).
"""

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from math import ceil, inf, isfinite
from typing import Literal

from tauten.errors import OptionError

LANES = ("plain", "recipes")

Reason = Literal["behind", "sick", "budget"]
State = Literal["training", "finished"] | Reason


@dataclass(frozen=True, slots=True)
class Rung:
    """A place where trials are compared: `folds` folds, each trained for `epochs` epochs."""

    epochs: int
    folds: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Train these folds of the trial up to epoch `until`: from where they are, or from zero where they are new."""

    trial: int
    folds: tuple[int, ...]
    until: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The trial ends on its way to, or at, the rung with this index; its slots are free."""

    trial: int
    rung: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Finish:
    """The trial has its score at the last rung; its slots are free."""

    trial: int
    score: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a trial stands: `rung` is the index of the deepest rung where it has a `score`, None before the first."""

    trial: int
    lane: str
    state: State
    rung: int | None
    score: float | None


Decision = Entry | Leave | Finish


def ladder(epochs: int, folds: int) -> tuple[Rung, ...]:
    """Rungs at a quarter, half and full length with one fold, then at full length with all folds.

    Not earlier than a quarter: early rungs favour weak regularization and high learning rates, whose curves fall fast
    and end high. One fold first, since trying more recipes is worth more than a second fold of each. The replay of
    recorded trainings (`benchmarks/rungs.py`) compares this and other ladders. Rounding is upwards, so a rung is never
    at less than its share nor at less than one epoch. Every trial meets the same folds, so scores are paired. Rungs
    that coincide, as they do for few epochs or one fold, are one rung.

    Raises:
        OptionError: `epochs` or `folds` is less than 1.

    >>> [(rung.epochs, rung.folds) for rung in ladder(40, 5)]
    [(10, 1), (20, 1), (40, 1), (40, 5)]
    >>> ladder(1, 1)
    (Rung(epochs=1, folds=1),)
    """
    for name, value in (("epochs", epochs), ("folds", folds)):
        if value < 1:
            raise OptionError(f"{name} is {value}; a race needs at least 1: give {name} ≥ 1")
    rungs = [Rung(ceil(epochs / part), 1) for part in (4, 2, 1)] + [Rung(epochs, folds)]
    return tuple(dict.fromkeys(rungs))


def next_lane(spent: Mapping[str, float], lanes: Sequence[str] = LANES) -> str:
    """The lane that has done the least work; among equals the first, that is `plain`.

    A claim against plain is fair only where plain's setting was tuned with an equal share of the budget.

    >>> next_lane({"plain": 100.0, "recipes": 90.0})
    'recipes'
    """
    if unknown := sorted(set(spent) - set(lanes)):
        raise ValueError(f"spent names the lane {unknown[0]!r}; expected some of {', '.join(lanes)}")
    return min(lanes, key=lambda lane: spent.get(lane, 0.0))


@dataclass(slots=True)
class _Trial:
    lane: str
    protected: bool
    rung: int = 0
    places: list[tuple[float, int, int]] = field(default_factory=list)
    state: State = "training"


class Race:
    """Asynchronous successive halving: at every rung the best 1 / `reduction` of each lane so far go on.

    Lanes are compared within themselves only: a lane's trials fare as if the other lane did not exist.

    Raises:
        OptionError: `reduction` is less than 2, or the rungs don't grow.

    >>> race = Race([Rung(1, 1), Rung(2, 1)])
    >>> [race.enter(trial).until for trial in (0, 1)]
    [1, 1]
    >>> race.report({0: 0.5, 1: 0.7})
    [Entry(trial=0, folds=(0,), until=2), Leave(trial=1, rung=0, reason='behind')]
    >>> race.report({0: 0.4})
    [Finish(trial=0, score=0.4)]
    """

    def __init__(self, rungs: Sequence[Rung], *, reduction: int = 3, lanes: Sequence[str] = LANES) -> None:
        if reduction < 2:
            raise OptionError(f"reduction is {reduction}; a rung keeps one in `reduction`: give 2 or more")
        if not rungs or rungs[0].epochs < 1 or rungs[0].folds < 1:
            raise OptionError(f"rungs are {tuple(rungs)}; give at least one, each with 1 epoch and 1 fold or more")
        for here, deeper in pairwise(rungs):
            if here == deeper or deeper.epochs < here.epochs or deeper.folds < here.folds:
                raise OptionError(f"{deeper} follows {here}; give each rung more epochs or more folds than the last")
        self.rungs = tuple(rungs)
        self.reduction = reduction
        self.lanes = tuple(lanes)
        self.closed = False
        self._trials: dict[int, _Trial] = {}
        # Kept in order, (score, how many were recorded before, trial): a race may see tens of thousands of trials.
        self._records: dict[tuple[str, int], list[tuple[float, int, int]]] = {
            (lane, rung): [] for lane in self.lanes for rung in range(len(self.rungs))
        }

    def enter(self, trial: int, *, lane: str = "recipes", protected: bool = False) -> Entry:
        """Take a new trial in.

        A protected trial (plain with its default setting, usual) counts like any other but is trained to the last rung
        whatever its rank, because every claim is made against it; only sickness ends it.
        """
        if self.closed:
            raise ValueError(f"trial {trial} can't enter: the race is closed; enter it before `close()`")
        if trial in self._trials:
            raise ValueError(f"trial {trial} has already entered; give every newcomer a number of its own")
        if lane not in self.lanes:
            raise ValueError(f"lane is {lane!r}; expected one of {', '.join(self.lanes)}")
        self._trials[trial] = _Trial(lane, protected)
        return self._entry(trial)

    def report(self, results: Mapping[int, float]) -> list[Decision]:
        """Decide on all trials that reached their rung in this round, in the order of their numbers.

        `results` maps a trial to its score, lower is better: the mean over the folds of its rung, each scored at the
        epoch chosen from the other folds' curves. All scores of the round are recorded before the first decision, so
        that the order of `results` is without effect; among equal scores the earlier round, then the smaller number,
        ranks first. A trial whose score is NaN or infinite is sick and leaves; it may be reported as soon as it is
        known, also before its rung, and is not counted among those that the others are compared with.
        """
        trials = sorted(results)
        for trial in trials:
            if trial not in self._trials or self._trials[trial].state != "training":
                raise ValueError(f"trial {trial} is not in training; report only trials that were entered and go on")
        for trial in trials:
            if isfinite(results[trial]):
                mine = self._trials[trial]
                record = self._records[mine.lane, mine.rung]
                mine.places.append((float(results[trial]), len(record), trial))
                insort(record, mine.places[-1])
        return [self._decide(trial, sick=not isfinite(results[trial])) for trial in trials]

    def close(self) -> list[Decision]:
        """End the race when the budget is over; what a trial reached stays in the standings.

        Nobody enters any more. Trials in training leave, except the protected: they may still be trained to the last
        rung and reported, since a claim needs them there. Report a round before closing, or its scores are lost.
        """
        self.closed = True
        going = [t for t, trial in sorted(self._trials.items()) if trial.state == "training" and not trial.protected]
        return [self._leave(trial, "budget") for trial in going]

    def standings(self) -> list[Standing]:
        """All trials, best first: the deepest rung with a score first, then by that score; the sick come last."""
        return sorted(map(self.standing, self._trials), key=place)

    def finalists(self, k: int, lane: str = "recipes") -> list[int]:
        """The best `k` trials of a lane: those at the deepest rung, then as many from the shallower as are missing.

        Scores of different rungs are never compared. Fewer than `k` where fewer have a score and are not sick.
        """
        return list(islice(self.leaders(lane), k))

    def leaders(self, lane: str = "recipes") -> Iterator[int]:
        """The trials of a lane that have a score and are not sick, in the order in which `finalists` takes them."""
        for rung in reversed(range(len(self.rungs))):
            for *_, trial in self._records[lane, rung]:
                mine = self._trials[trial]
                if len(mine.places) == rung + 1 and mine.state != "sick":
                    yield trial

    def standing(self, trial: int) -> Standing:
        """Where one trial stands."""
        mine = self._trials[trial]
        if not mine.places:
            return Standing(trial, mine.lane, mine.state, None, None)
        return Standing(trial, mine.lane, mine.state, len(mine.places) - 1, mine.places[-1][0])

    def _decide(self, trial: int, *, sick: bool) -> Decision:
        mine = self._trials[trial]
        if sick:
            return self._leave(trial, "sick")
        if mine.rung == len(self.rungs) - 1:
            mine.state = "finished"
            return Finish(trial, mine.places[-1][0])
        record = self._records[mine.lane, mine.rung]
        last = record[ceil(len(record) / self.reduction) - 1]
        if not mine.protected and mine.places[-1] > last:
            return self._leave(trial, "behind")
        mine.rung += 1
        return self._entry(trial)

    def _leave(self, trial: int, reason: Reason) -> Leave:
        mine = self._trials[trial]
        mine.state = reason
        return Leave(trial, mine.rung, reason)

    def _entry(self, trial: int) -> Entry:
        rung = self.rungs[self._trials[trial].rung]
        return Entry(trial, tuple(range(rung.folds)), rung.epochs)


def place(standing: Standing) -> tuple[bool, int, float, int]:
    """What `standings` sorts by."""
    rung = -1 if standing.rung is None else standing.rung
    score = inf if standing.score is None else standing.score
    return standing.state == "sick", -rung, score, standing.trial
