"""The race, fed numbers: hand-written rounds, worlds of learning curves, and what holds for every world."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from tauten.errors import OptionError
from tauten.race import Decision, Entry, Finish, Leave, Race, Rung, ladder, next_lane

Curve = Callable[[int, int, int], float]
"""(trial, fold, epoch) → loss of that member at that epoch."""

SHORT = (Rung(1, 1), Rung(2, 1))


@dataclass
class Run:
    """What a caller sees when it trains members in lockstep rounds of one epoch, refilling free slots."""

    work: int = 0
    decisions: list[Decision] = field(default_factory=list)
    entries: dict[int, list[Entry]] = field(default_factory=dict)


def drive(
    race: Race,
    curve: Curve,
    trials: Sequence[int],
    *,
    slots: int = 16,
    lane: Callable[[int], str] = lambda _: "recipes",
    protected: Sequence[int] = (),
    shuffle: np.random.Generator | None = None,
    rounds: int | None = None,
) -> Run:
    run, waiting = Run(), list(trials)
    training: dict[int, Entry] = {}
    age: dict[tuple[int, int], int] = {}
    done = 0
    while (training or waiting) and done != rounds:
        while waiting and sum(len(entry.folds) for entry in training.values()) < slots:
            newcomer = waiting.pop(0)
            training[newcomer] = race.enter(newcomer, lane=lane(newcomer), protected=newcomer in protected)
            run.entries[newcomer] = [training[newcomer]]
        arrived = []
        for trial, entry in training.items():
            for fold in entry.folds:
                if age.get((trial, fold), 0) < entry.until:
                    age[trial, fold] = age.get((trial, fold), 0) + 1
                    run.work += 1
            if all(age[trial, fold] == entry.until for fold in entry.folds):
                arrived.append(trial)
        if shuffle is not None:
            arrived = [arrived[i] for i in shuffle.permutation(len(arrived))]
        scores = {t: sum(curve(t, f, age[t, f]) for f in training[t].folds) / len(training[t].folds) for t in arrived}
        for decision in race.report(scores):
            run.decisions.append(decision)
            if isinstance(decision, Entry):
                training[decision.trial] = decision
                run.entries[decision.trial].append(decision)
            else:
                del training[decision.trial]
        done += 1
    return run


@dataclass
class World:
    """Power laws: asymptote + size · epoch^−rate, with noise per fold (the same at all epochs) and per epoch.

    The slower a curve falls, the lower it ends, as under strong regularization, so early ranks mislead.
    """

    trials: int
    epochs: int
    folds: int
    seed: int
    noise: float = 0.03

    def __post_init__(self) -> None:
        g = np.random.default_rng(self.seed)
        slow = g.uniform(0, 1, self.trials)
        self.asymptote = g.normal(0.5, 0.03, self.trials) - 0.3 * slow
        self.size = g.uniform(0.7, 1.3, self.trials)
        self.rate = 1.5 - slow
        self.fold_noise = g.normal(0, self.noise, (self.trials, self.folds))
        self.epoch_noise = g.normal(0, self.noise, (self.trials, self.folds, self.epochs + 1))

    def truth(self, epoch: int) -> np.ndarray:
        return self.asymptote + self.size * float(epoch) ** -self.rate

    def __call__(self, trial: int, fold: int, epoch: int) -> float:
        clean = self.asymptote[trial] + self.size[trial] * float(epoch) ** -self.rate[trial]
        return float(clean + self.fold_noise[trial, fold] + self.epoch_noise[trial, fold, epoch])


class TestLadder:
    @pytest.mark.parametrize(
        ("epochs", "folds", "expected"),
        [
            (16, 5, [(4, 1), (8, 1), (16, 1), (16, 5)]),
            (10, 3, [(3, 1), (5, 1), (10, 1), (10, 3)]),
            (16, 1, [(4, 1), (8, 1), (16, 1)]),
            (3, 5, [(1, 1), (2, 1), (3, 1), (3, 5)]),
            (2, 5, [(1, 1), (2, 1), (2, 5)]),
            (2, 1, [(1, 1), (2, 1)]),
            (1, 2, [(1, 1), (1, 2)]),
            (1, 1, [(1, 1)]),
        ],
    )
    def test_rungs(self, epochs: int, folds: int, expected: list[tuple[int, int]]) -> None:
        assert [(rung.epochs, rung.folds) for rung in ladder(epochs, folds)] == expected

    @given(st.integers(1, 1000), st.integers(1, 20))
    def test_grows_from_no_less_than_a_quarter_to_everything(self, epochs: int, folds: int) -> None:
        rungs = ladder(epochs, folds)
        assert rungs[0].epochs >= max(1, epochs / 4)
        assert rungs[-1] == Rung(epochs, folds)
        assert Race(rungs).rungs == rungs

    @pytest.mark.parametrize(("epochs", "folds", "message"), [(0, 5, "epochs is 0"), (8, -1, "folds is -1")])
    def test_refuses_nothing_to_train(self, epochs: int, folds: int, message: str) -> None:
        with pytest.raises(OptionError, match=message):
            ladder(epochs, folds)


class TestRound:
    """One rung, decided by hand."""

    @staticmethod
    def race(n: int, reduction: int = 3) -> Race:
        race = Race(SHORT, reduction=reduction)
        for trial in range(n):
            assert race.enter(trial) == Entry(trial, folds=(0,), until=1)
        return race

    @pytest.mark.parametrize(("n", "kept"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
    def test_the_best_third_rounded_up_goes_on(self, n: int, kept: int) -> None:
        decisions = self.race(n).report({trial: float(n - trial) for trial in range(n)})
        on = [d.trial for d in decisions if isinstance(d, Entry)]
        assert on == list(range(n - kept, n))
        assert [d.trial for d in decisions] == list(range(n))

    def test_reduction_two_keeps_half(self) -> None:
        decisions = self.race(4, reduction=2).report({0: 4.0, 1: 1.0, 2: 2.0, 3: 3.0})
        assert [d.trial for d in decisions if isinstance(d, Entry)] == [1, 2]

    def test_first_comers_go_on_and_a_later_better_newcomer_overtakes(self) -> None:
        race = self.race(3)
        assert race.report({0: 0.9}) == [Entry(0, (0,), 2)]
        assert race.report({1: 0.95}) == [Leave(1, 0, "behind")]
        assert race.report({0: 0.8, 2: 0.5}) == [Finish(0, 0.8), Entry(2, (0,), 2)]
        assert race.report({2: 0.4}) == [Finish(2, 0.4)]
        assert race.finalists(2) == [2, 0]

    def test_scores_of_a_round_are_recorded_before_its_first_decision(self) -> None:
        assert self.race(2).report({0: 0.9, 1: 0.5}) == [Leave(0, 0, "behind"), Entry(1, (0,), 2)]

    def test_among_equals_the_earlier_ranks_first(self) -> None:
        race = self.race(5)
        assert race.report({4: 1.0}) == [Entry(4, (0,), 2)]
        decisions = race.report(dict.fromkeys([3, 2, 1, 0], 1.0))
        assert [d.trial for d in decisions if isinstance(d, Entry)] == [0]

    @pytest.mark.parametrize("sick", [math.nan, math.inf, -math.inf])
    def test_a_sick_trial_leaves_and_is_not_counted(self, sick: float) -> None:
        race = self.race(4)
        decisions = race.report({0: sick, 1: 3.0, 2: 2.0, 3: 1.0})
        assert decisions == [Leave(0, 0, "sick"), Leave(1, 0, "behind"), Leave(2, 0, "behind"), Entry(3, (0,), 2)]
        assert race.finalists(9) == [3, 2, 1]

    def test_sickness_after_a_good_rung_keeps_a_trial_out_of_the_finals(self) -> None:
        race = self.race(2)
        race.report({0: 0.1, 1: 0.2})
        assert race.report({0: math.nan}) == [Leave(0, 1, "sick")]
        assert race.finalists(9) == [1]

    def test_a_protected_trial_is_trained_to_the_end_and_counts(self) -> None:
        race = Race(SHORT)
        for trial in range(4):
            race.enter(trial, protected=trial == 0)
        decisions = race.report({0: 9.0, 1: 1.0, 2: 2.0, 3: 3.0})
        # The fourth score makes it ceil(4/3) = 2 that go on by rank.
        assert decisions == [Entry(0, (0,), 2), Entry(1, (0,), 2), Entry(2, (0,), 2), Leave(3, 0, "behind")]
        assert race.report({0: 9.0})[0] == Finish(0, 9.0)

    def test_only_sickness_ends_a_protected_trial(self) -> None:
        race = Race(SHORT)
        race.enter(0, protected=True)
        assert race.report({0: math.nan}) == [Leave(0, 0, "sick")]

    def test_a_protected_trial_of_rank_one_takes_a_place(self) -> None:
        race = Race(SHORT)
        race.enter(0, protected=True)
        race.enter(1)
        assert race.report({0: 1.0, 1: 2.0}) == [Entry(0, (0,), 2), Leave(1, 0, "behind")]

    def test_more_folds_are_asked_for_at_the_last_rung(self) -> None:
        race = Race(ladder(4, 5))
        race.enter(7)
        asked = [race.report({7: 1.0})[0] for _ in range(4)]
        assert asked == [Entry(7, (0,), 2), Entry(7, (0,), 4), Entry(7, (0, 1, 2, 3, 4), 4), Finish(7, 1.0)]


class TestClose:
    def test_trials_leave_but_keep_what_they_reached(self) -> None:
        race = Race(SHORT, reduction=3)
        for trial in range(5):
            race.enter(trial, protected=trial == 4)
        race.report({0: 0.5, 1: 0.4, 2: 0.6})
        assert race.close() == [Leave(1, 1, "budget"), Leave(3, 0, "budget")]
        assert race.close() == []
        assert [(s.trial, s.state, s.rung, s.score) for s in race.standings()] == [
            (1, "budget", 0, 0.4),
            (0, "behind", 0, 0.5),
            (2, "behind", 0, 0.6),
            (3, "budget", None, None),
            (4, "training", None, None),
        ]
        assert race.report({4: 0.7}) == [Entry(4, (0,), 2)]
        assert race.report({4: 0.7}) == [Finish(4, 0.7)]
        # Rung first, score second: trial 4 alone reached the last rung.
        assert race.finalists(3) == [4, 1, 0]

    def test_nobody_enters_a_closed_race(self) -> None:
        race = Race(SHORT)
        race.close()
        with pytest.raises(ValueError, match="trial 0 can't enter"):
            race.enter(0)


class TestMisuse:
    def test_twice(self) -> None:
        race = Race(SHORT)
        race.enter(0)
        with pytest.raises(ValueError, match="already entered"):
            race.enter(0)

    def test_unknown_lane(self) -> None:
        with pytest.raises(ValueError, match="lane is 'fast'; expected one of plain, recipes"):
            Race(SHORT).enter(0, lane="fast")

    def test_a_refused_report_leaves_no_trace(self) -> None:
        race = Race(SHORT)
        race.enter(0)
        before = race.standings()
        with pytest.raises(ValueError, match="trial 1 is not in training"):
            race.report({0: 1.0, 1: 1.0})
        assert race.standings() == before

    @pytest.mark.parametrize("rungs", [[], [Rung(0, 1)], [Rung(2, 2), Rung(1, 3)], [Rung(1, 1), Rung(1, 1)]])
    def test_rungs_must_grow(self, rungs: list[Rung]) -> None:
        with pytest.raises(OptionError, match="give"):
            Race(rungs)

    def test_reduction_must_reduce(self) -> None:
        with pytest.raises(OptionError, match="reduction is 1"):
            Race(SHORT, reduction=1)


class TestLanes:
    def test_the_lane_that_spent_less_is_next_and_plain_first(self) -> None:
        assert next_lane({}) == "plain"
        assert next_lane({"plain": 5.0, "recipes": 5.0}) == "plain"
        assert next_lane({"plain": 5.0}) == "recipes"
        assert next_lane({"plain": 5.0, "recipes": 7.0}) == "plain"

    def test_an_unknown_lane_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'recipe'"):
            next_lane({"recipe": 1.0})

    def test_shares_stay_equal(self) -> None:
        spent = {"plain": 0.0, "recipes": 0.0}
        for cost in np.random.default_rng(0).uniform(1, 5, 500):
            spent[next_lane(spent)] += float(cost)
        assert abs(spent["plain"] - spent["recipes"]) <= 5

    @pytest.mark.parametrize("seed", range(5))
    def test_a_lane_fares_as_if_the_other_did_not_exist(self, seed: int) -> None:
        rungs, world = ladder(8, 3), World(60, 8, 3, seed)
        # With room for all, trials of both lanes enter in the first round, as they do alone.
        both = Race(rungs)
        together = drive(both, world, range(60), slots=999, lane=lambda t: "plain" if t % 3 == 0 else "recipes")
        for name, members in (("plain", range(0, 60, 3)), ("recipes", [t for t in range(60) if t % 3])):
            alone = Race(rungs)
            run = drive(alone, world, members, slots=999, lane=dict.fromkeys(members, name).__getitem__)
            assert [d for d in together.decisions if d.trial in members] == run.decisions
            assert both.finalists(99, name) == alone.finalists(99, name)


class TestWorlds:
    def test_the_order_of_results_is_without_effect(self) -> None:
        rungs, world = ladder(8, 5), World(80, 8, 5, seed=2)
        plain_order = drive(Race(rungs), world, range(80))
        for seed in range(5):
            shuffled = drive(Race(rungs), world, range(80), shuffle=np.random.default_rng(seed))
            assert shuffled.decisions == plain_order.decisions

    def test_where_rungs_rank_perfectly_the_best_always_wins(self) -> None:
        for seed in range(30):
            world = World(100, 8, 3, seed, noise=0.0)
            # One rate and size for all: the curves never cross, so every rung ranks as the end does.
            world.size[:], world.rate[:] = 1.0, 1.0
            race = Race(ladder(8, 3))
            drive(race, world, range(100), slots=8)
            assert race.finalists(1) == [int(np.argmin(world.asymptote))]

    def test_a_good_winner_for_less_than_a_sixth_of_the_work(self) -> None:
        epochs, folds, trials = 32, 5, 200
        places, shares, gaps, early = [], [], [], []
        for seed in range(20):
            world = World(trials, epochs, folds, seed)
            race = Race(ladder(epochs, folds))
            run = drive(race, world, range(trials), slots=32)
            (winner,) = race.finalists(1)
            undropped = int(np.argmin([sum(world(t, f, epochs) for f in range(folds)) for t in range(trials)]))
            truth = world.truth(epochs)
            places.append(float(np.mean(truth < truth[winner])))
            gaps.append(float((truth[winner] - truth[undropped]) / truth.std()))
            early.append(spearmanr(world.truth(epochs // 4), truth).statistic)
            shares.append(run.work / (trials * epochs * folds))
        assert np.mean(early) < 0.7
        assert np.mean(places) < 0.02
        assert max(places) < 0.10
        assert abs(np.mean(gaps)) < 0.1
        assert max(shares) < 1 / 6

    def test_a_protected_loser_is_measured_at_full_length(self) -> None:
        world = World(50, 8, 3, seed=3)
        worst = int(np.argmax(world.truth(8)))
        race = Race(ladder(8, 3))
        run = drive(race, world, range(50), protected=[worst])
        mean = sum(world(worst, fold, 8) for fold in range(3)) / 3
        assert Finish(worst, mean) in run.decisions
        assert worst in [s.trial for s in race.standings() if s.state == "finished"]


@settings(max_examples=150, deadline=None)
@given(
    epochs=st.integers(1, 9),
    folds=st.integers(1, 4),
    slots=st.integers(1, 12),
    reduction=st.integers(2, 4),
    rounds=st.none() | st.integers(0, 12),
    scores=st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan, math.inf]), min_size=4, max_size=4), max_size=25
    ),
)
def test_every_world_is_orderly(
    epochs: int, folds: int, slots: int, reduction: int, rounds: int | None, scores: list[list[float]]
) -> None:
    rungs = ladder(epochs, folds)
    race = Race(rungs, reduction=reduction)
    protected = range(0, len(scores), 5)
    run = drive(
        race, lambda t, f, e: scores[t][e % 4] + f, range(len(scores)), slots=slots, protected=protected, rounds=rounds
    )
    assert run.work <= len(scores) * epochs * folds

    ended = [d.trial for d in run.decisions if not isinstance(d, Entry)]
    still_in = [s.trial for s in race.standings() if s.state == "training"]
    assert len(ended) == len(set(ended))
    assert sorted(ended + still_in) == sorted(run.entries)

    for entries in run.entries.values():
        climbed = [Rung(entry.until, len(entry.folds)) for entry in entries]
        assert tuple(climbed) == rungs[: len(climbed)]
    for decision in run.decisions:
        if isinstance(decision, Leave):
            assert decision.rung == len(run.entries[decision.trial]) - 1
            assert decision.reason == "sick" or decision.trial not in protected

    gone = {d.trial for d in race.close()}
    assert gone == set(still_in) - set(protected)
    places = [(-s.rung, s.score) for s in race.standings() if s.state != "sick" and s.rung is not None]
    assert places == sorted(places)
