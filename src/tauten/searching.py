"""A search from data to verdict. It joins everything, and decides nothing itself.

seal the holdout → race → finals A choose → finals B prove → ablation explains → train every arm on all
development rows → open the holdout, once → verdict
"""

import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from torch import nn

from tauten.builder import Builder
from tauten.cells import Arm, Trainer
from tauten.contest import Contest, Field, diverged
from tauten.costs import seconds_ratios
from tauten.data import Table, check_network
from tauten.evidence import compare, holdout_agrees, too_small, verdict
from tauten.finals import Finals, Plan, left_out
from tauten.flips import flips
from tauten.folds import Development, Fold, clusters
from tauten.found import Found
from tauten.heldout import Held, train_arms
from tauten.metrics import Metric
from tauten.options import Options
from tauten.own import BUILT_IN, Own
from tauten.racing import Standing
from tauten.split import Rows, Sealed, holdout, selection_plan
from tauten.supplies import for_search
from tauten.text.translation import Translated
from tauten.traits import predictions, traits
from tauten.unrecorded import Recorder


@dataclasses.dataclass(frozen=True)
class Phase:
    """A phase begins; `gradient_evaluations` is what it is expected to take, where that is known."""

    name: str
    seconds: float
    gradient_evaluations: int = 0


@dataclasses.dataclass(frozen=True)
class Tick:
    """So many more gradient evaluations of the current phase are done."""

    gradient_evaluations: int


@dataclasses.dataclass(frozen=True)
class Note:
    """What a person should know from the start, in one line."""

    text: str


@dataclasses.dataclass(frozen=True)
class Translating:
    """So many of the sentences of a step ("eng to spa") are translated."""

    step: str
    done: int
    sentences: int

    def __str__(self) -> str:
        return f"{self.step}: {self.done:,} of {self.sentences:,} sentences"


Event = Phase | Note | Standing | Tick | Translating
Watcher = Callable[[Event], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """A search that is checked and ready: what can be refused was refused, and nothing has been trained or written.

    `translated` tells of texts that were translated for it, which took `ahead` seconds of the journal's clock.
    """

    table: Table
    options: Options
    metrics: tuple[Metric, ...]
    sealed: Sealed
    development: Development
    whole: Fold
    builder: Builder
    contest: Contest
    module: Callable[..., nn.Module] | None
    begun: float
    own: Own
    translated: Translated | None = None
    ahead: float = 0.0


def prepare(
    table: Table,
    options: Options,
    module: Callable[..., nn.Module] | None = None,
    begun: float | None = None,
    own: Own = BUILT_IN,
) -> Prepared:
    """Seal the holdout and set up the race; OptionError, DataError or ModelError for what can't be searched.

    `begun` is when the search began, as `time.monotonic()` tells it, where that was before.
    """
    begun = time.monotonic() if begun is None else begun
    check_network(table, module is not None)
    table, told = for_search(table, options, module is None)
    rows, held = sides(table, options.holdout)
    dev = table.take(rows)
    metrics = own.metrics(options.metric, dev.task, dev.y, dev.weights)
    plan = selection_plan(dev.y, dev.task, options.folds, dev.classes, dev.together, dev.time)
    development = Development.of(dev, plan, options.numeric(module is not None), options.class_weight, own.loss)
    whole = development.whole()
    own.check_loss(whole.source.targets.shape[1])
    builder = Builder(whole.source, module, precision=options.precision)
    share = len(held) / len(table.y)  # what the end of the search will cost
    first = dataclasses.replace(options, holdout=share, budget=options.main_budget)
    contest = Contest(first, development, builder, metrics[0])
    contest.notes += told
    return Prepared(table, options, metrics, Sealed(held), development, whole, builder, contest, module, begun, own)


def sides(table: Table, share: float) -> tuple[Rows, Rows]:
    """(development rows, holdout rows): the person's own, or a share of the rows."""
    if table.held is not None:
        return np.flatnonzero(~table.held), np.flatnonzero(table.held)
    return holdout(table.row_hashes(), table.y, table.task, share, table.groups, table.time)


def find(prepared: Prepared, journal: Recorder, watch: Watcher) -> Found:
    """Run a prepared search, or what is left of it where the journal replays."""
    table, options, metrics = prepared.table, prepared.options, prepared.metrics
    development, whole = prepared.development, prepared.whole
    builder, contest = prepared.builder, prepared.contest
    main, dev, selection = metrics[0], development.table, development.plan
    set_up = float(journal.once("set-up", lambda: time.monotonic() - prepared.begun - journal.seconds_used))
    clock = _Phases(journal, watch, set_up)
    told = builder.module.training(contest.setting.batch_size) if builder.module else None
    if told:
        watch(Note(told))
        journal.append("members", {"stacked": contest.stacked})
    clock.begin("speed")
    contest.measure(journal, set_up, prepared.ahead)
    for note in contest.notes:
        if note != told:
            watch(Note(note))
    clock.begin("race")
    plan = contest.run(journal, watch)
    field = contest.field()

    def tick(n: int) -> None:
        watch(Tick(n))

    recorded = (*metrics, *predictions(dev.task))
    trainer = Trainer(builder, journal, recorded, options.threads, tick)
    finals = Finals(development, trainer, recorded, options.seed)
    clock.begin("finals A")
    best, plain, choice = finals.choose(field.candidates + [field.usual], field.plains, plan)
    chosen, plain = dataclasses.replace(best, name="chosen"), dataclasses.replace(plain, name="plain")
    arms = [chosen, plain, dataclasses.replace(field.usual, name="usual")]
    pairs = _ingredients(chosen, plain, field)

    def corrected(done: int | None) -> Plan:
        return contest.corrected(journal, plan, arms, _both(pairs), trainer.pace, done)

    def more(done: int) -> int:
        nonlocal plan
        plan = corrected(done)
        return plan.finals_b

    clock.begin("finals B")
    # Without finals A nothing has told a pace that the race's end did not know.
    replicates = more(0) if plan.finals_a else plan.finals_b
    scored = finals.scores("finals B", arms, replicates, more if options.budget else None)
    for arm in arms[1:]:
        if not scored[arm.name].finite:
            raise diverged(arm.name, arm.recipe.setting)
    if not scored["chosen"].finite:
        contest.notes.append(f"the best candidate ({' + '.join(chosen.recipe.names)}) diverged in the finals.")
        chosen = arms[0] = dataclasses.replace(plain, name="chosen")
        scored = {**scored, "chosen": scored["plain"]}
    rows, together = {name: scores.rows[main.name] for name, scores in scored.items()}, scored["plain"].clusters
    differences = {name: compare(rows[name], rows["chosen"], clusters=together) for name in ("plain", "usual")}
    decided = verdict(differences["plain"], differences["usual"], main.name)
    pairs = _ingredients(chosen, plain, field)
    plan = corrected(None)
    clock.begin("ablation")
    ablation = finals.explain(pairs, scored, plan)
    clock.begin("training")
    models = train_arms(builder, whole, table, prepared.module, arms, plan.holdout_seeds, options, tick)
    answer = "plain" if decided.name == "no evidence" else "chosen"
    model = dataclasses.replace(models[answer][0], residuals=scored[answer].residuals(table))
    clock.begin("holdout")
    opened = table.take(
        prepared.sealed.open(lambda: journal.append("holdout opened", {"arms": [a.name for a in arms]}))
    )
    held = Held.of(whole, opened)
    held_scores = {arm.name: held.contributions(models[arm.name], metrics) for arm in arms}
    held_rows = [held_scores[name][main.name] for name in ("plain", "chosen")]
    apart, independent = _independent(opened)
    differences["holdout"] = compare(*held_rows, clusters=apart)
    small = too_small(len(opened.y), held.smallest, independent)
    agreement = holdout_agrees(differences["plain"], differences["holdout"], small)
    ratio = journal.once(
        "seconds ratio", lambda: float(np.median(seconds_ratios(builder, whole.source, chosen, plain)))
    )
    clock.begin("traits")
    changed = traits(models, held, main, scored if selection.folds > 1 else {}, options.seed)
    flipped = flips(models, whole, dev, chosen.recipe, options.seed)
    notes = [*table.warnings, *selection.warnings, *contest.notes]
    notes += [f"held-out figures are point estimates, {small}"] if small else []
    notes += [] if agreement.agrees else [agreement.sentence]
    notes += left_out(plan, bool(pairs)) if options.budget else []
    seconds = clock.finish()
    # Of a budget that outer searches share, only the whole is what a person gave; they tell of that.
    overrun = None if options.nested else contest.budget.overrun(seconds["total"])
    notes += [overrun] if overrun else []
    return Found(
        table, options, metrics, plan, chosen, arms[1], arms[2], choice, field, scored, held_scores, apart,
        differences, decided, agreement, ablation, model, len(dev.y), len(opened.y),
        tuple(contest.racing.trials.values()), contest.sampler, selection.folds, prepared.builder.precision,
        prepared.builder.engine(model.recipe), prepared.builder.network(model.recipe),
        contest.racing.gradient_evaluations + trainer.gradient_evaluations,
        seconds, dataclasses.asdict(contest.racing.seconds), float(ratio), bool(small), changed,
        _counts(prepared.translated), flipped, tuple(notes),
    )  # fmt: skip


def _counts(translated: Translated | None) -> tuple[dict[str, object], ...]:
    """For each language the number of texts that were translated, and what is to be known of them."""
    by = translated.by if translated else ()
    counts = ("via", "unchanged", "foreign", "foreign_words")
    return tuple({"texts": len(own.texts), **{name: getattr(own, name) for name in counts}} for own in by)


def _independent(opened: Table) -> tuple[npt.NDArray[np.intp] | None, int | None]:
    """The clusters of the holdout's rows, and how many; of a single one no spread can be told."""
    apart = clusters(opened)
    count = None if apart is None else len(np.unique(apart))
    return (None if count == 1 else apart), count


class _Phases:
    """Announces phases and sums up what each took; times come from the journal, so a resumed run tells them too."""

    def __init__(self, journal: Recorder, watch: Watcher, set_up: float) -> None:
        self._journal, self._watch, self._set_up = journal, watch, set_up
        self._marks: list[tuple[str, float]] = []

    def begin(self, name: str) -> None:
        seconds = float(self._journal.once("phase", lambda: self._journal.seconds_used, key=name))
        self._marks.append((name, seconds))
        self._watch(Phase(name, self._set_up + seconds))

    def finish(self) -> dict[str, float]:
        end = float(self._journal.once("phase", lambda: self._journal.seconds_used, key="end"))
        ends = [seconds for _, seconds in self._marks[1:]] + [end]
        spans = {name: round(b - a, 2) for (name, a), b in zip(self._marks, ends, strict=True)}
        first = round(self._set_up + self._marks[0][1], 2)
        return {"set-up": first, **spans, "total": round(self._set_up + end, 2)}


def _ingredients(chosen: Arm, plain: Arm, field: Field) -> dict[str, tuple[Arm, Arm]]:
    """For each ingredient: the chosen recipe without it, and plain with it alone. Durations follow the stop rules."""
    plain_trial = next(t for t in field.trials.values() if t.recipe == plain.recipe)
    pairs = {}
    for t in chosen.recipe.techniques:
        without, alone = chosen.recipe.without(t.name), dataclasses.replace(plain.recipe, techniques=(t,))
        stops = "stop" in t.hooks
        pairs[t.name] = (
            Arm(f"without {t.name}", without, without.setting.epochs if stops else chosen.epochs),
            Arm(
                f"alone {t.name}",
                alone,
                dataclasses.replace(plain_trial, recipe=alone).duration() if stops else plain.epochs,
            ),
        )
    return pairs


def _both(pairs: Mapping[str, tuple[Arm, Arm]]) -> list[Arm]:
    return [arm for pair in pairs.values() for arm in pair]
