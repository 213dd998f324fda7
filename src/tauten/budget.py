"""A time budget: when the race must end, and how many replicates of the finals fit into what is left.

Only the clock and the cost of trainings decide here, never a score: the plan is corrected after finals A by their own
pace and between replicates of finals B, and the ablation's after them. What was decided stands in the journal.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Self

from tauten.finals import Plan, ladder
from tauten.unrecorded import Recorder

RACE_SHARE = 0.45
"""The share of a budget that the full plan of finals leaves at least to the race; where it would not, fewer replicates
are planned."""
OUTSIDE = 1.0
"""Seconds that no clock of a search sees, about the same for every table: the interpreter starts, the report is
drawn."""
AIM = 0.98
"""The share of a budget that is planned for; the rest is for what no plan foresees."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """Who goes from the race into finals A, and how many techniques a recipe has at most, about."""

    candidates: int
    plains: int
    ingredients: float


RACE, LADDER = Scale(6, 2, math.inf), Scale(3, 1, 2.0)
"""Of a race of many; and of a ladder, which is for few trainings that are long."""
PHASES = ("finals A", "finals B", "ablation", "training", "holdout")


@dataclasses.dataclass(frozen=True)
class Costs:
    """Work of single trainings (`Builder.work`), from which follows what each phase takes.

    `candidates` and `plains` are those of finals A; `chosen`, `plain` and `usual` the arms after it, as expected or
    known; `ablation` is all of its arms; `folds` trainings make a replicate; `whole` is how much longer an epoch of all
    development rows is than one of a fold; `holdout` the worth of what comes last, and `held` of what each seed adds to
    it.
    """

    candidates: Sequence[float]
    plains: Sequence[float]
    usual: float
    chosen: float
    plain: float
    ablation: float
    folds: int
    whole: float
    holdout: float
    held: float = 0.0

    @classmethod
    def expected(
        cls,
        candidates: Sequence[float],
        plains: Sequence[float],
        usual: float,
        ingredients: float,
        folds: int,
        whole: float,
        holdout: float,
        held: float = 0.0,
    ) -> Self:
        """Before finals A, when nobody knows yet which candidate is chosen.

        Between the mean and the worst: time that is left over goes into more replicates, and time that is missing can't
        be had.
        """
        chosen, plain = ((fmean(own) + max(own)) / 2 for own in (candidates, plains))
        ablation = ingredients * (chosen + plain)
        return cls(candidates, plains, usual, chosen, plain, ablation, folds, whole, holdout, held)

    def of(self, phase: str, plan: Plan) -> float:
        """Work of a phase."""
        arms = self.chosen + self.plain + self.usual
        return {
            "finals A": plan.finals_a * self.folds * (sum(self.candidates) + sum(self.plains) + self.usual),
            "finals B": plan.finals_b * self.folds * arms,
            "ablation": plan.ablation * self.folds * self.ablation,
            "training": plan.holdout_seeds * arms * self.whole,
            "holdout": self.holdout + plan.holdout_seeds * self.held,
        }[phase]


@dataclasses.dataclass(frozen=True)
class Pace:
    """Work a second, and the seconds that a replicate takes to preprocess its folds."""

    work: float
    replicate: float


class Budget:
    """`seconds` for everything (None: as long as it takes), of which `spent` went before the journal's clock began and
    `ahead` since then, before there was anything to train. `few`: for few trainings there are shorter plans."""

    def __init__(self, seconds: float | None, spent: float, folds: int, ahead: float = 0.0, few: bool = False) -> None:
        self.seconds, self._spent, self._ahead, self._few = seconds, spent, ahead, few
        self.plans = ladder(folds, few)
        self.full = next(plan for plan in self.plans if plan.name == "full")

    @property
    def chosen(self) -> Plan:
        """The shortest plan in which finals A choose."""
        return next(plan for plan in self.plans if plan.finals_a)

    @property
    def net(self) -> float:
        """Seconds that are planned for."""
        assert self.seconds is not None
        return AIM * self.seconds - OUTSIDE - self._spent - self._ahead

    def left(self, journal: Recorder) -> float:
        """Seconds left for training."""
        return self.net + self._ahead - journal.seconds_used

    def needs(self, plan: Plan, costs: Costs, pace: Pace, phases: Sequence[str] = PHASES) -> float:
        """Seconds that phases of the finals take by a plan."""
        replicates = {"finals A": plan.finals_a, "finals B": plan.finals_b, "ablation": plan.ablation}
        return sum(costs.of(p, plan) / pace.work + replicates.get(p, 0) * pace.replicate for p in phases)

    def intended(self, costs: Costs, pace: Pace) -> Plan:
        """What a race should leave time for."""
        assert self.seconds is not None
        if self._few:
            # The best of many recipes on one fold's rows is mostly lucky: to choose on fresh folds is worth more steps.
            return self.chosen
        share = (1 - RACE_SHARE) * self.seconds
        plans = [p for p in self.plans if p.finals_b <= self.full.finals_b]
        return self._fitting(plans, lambda plan: self.needs(plan, costs, pace) <= share)

    def overrun(self, seconds: float) -> str | None:
        """What to say where so many seconds were too many."""
        if self.seconds is None or seconds + OUTSIDE / 2 <= 1.1 * self.seconds:
            return None
        return (
            f"the search took {seconds:.0f} s of a budget of {self.seconds:.0f} s: the shortest finals that can prove "
            "anything take so long here; give more time, or a smaller network."
        )

    def plan(
        self, journal: Recorder, costs: Costs, pace: Pace, before: str, taken: Plan | None = None, done: int = 0
    ) -> Plan:
        """The plan that fits from a phase on, where `taken` was the plan until then; the full one without a budget.

        `done` are the replicates of finals B that have been trained.
        """
        if self.seconds is None:
            return self.full
        phases = PHASES[PHASES.index(before) :]
        plans = list(self.plans)
        if taken and before == "finals B":
            plans = [dataclasses.replace(p, finals_a=taken.finals_a) for p in plans if p.finals_b >= done]
        elif taken:
            least, most = self.plans[0].ablation, taken.finals_b
            plans = [dataclasses.replace(taken, ablation=k) for k in range(min(least, most), most + 1)]

        def decide() -> list[object]:
            left = self.left(journal)

            def fits(plan: Plan) -> bool:
                rest = dataclasses.replace(plan, finals_b=plan.finals_b - done)
                return self.needs(rest, costs, pace, phases) <= left

            return list(dataclasses.astuple(self._fitting(plans, fits)))

        return Plan(*journal.once("plan", decide, key=[before, done]))

    @staticmethod
    def _fitting(plans: Sequence[Plan], fits: Callable[[Plan], bool]) -> Plan:
        """The longest that fits, or the shortest."""
        return next((plan for plan in reversed(plans) if fits(plan)), plans[0])
