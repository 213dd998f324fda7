"""The table of the dropout experiment: one row for each protocol, number of rows and number of epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tauten.evidence import Difference, Estimate, compare, grade, interval
from tauten.evidence.verdict import Name
from tauten.experiments.arms import ARMS, LONG, SCORES, SETTING, SHORT, TRAIN_ROWS, Parts
from tauten.experiments.problem import Cell

HEAD = (
    "protocol", "training rows", "epochs", "seeds",
    "test error plain, %", "test error dropout, %", "gain, points [95 %]",
    "log loss plain", "log loss dropout", "gain [95 %]",
    "gap plain", "gap dropout", "seconds plain", "seconds dropout",
)  # fmt: skip

WORDS = {"error": "the test error", "log_loss": "the log loss"}


@dataclass(frozen=True)
class Row:
    """What one row says. Scores by name ("error" as a share, "log_loss" in nats), arms by name.

    `gain` is plain − dropout on the same examples and seeds. `gap` is the mean over seeds of the validation score less
    the training score in evaluation mode, at the last epoch. `seconds` are of one training alone on one thread.
    """

    protocol: str
    n: int
    epochs: int
    seeds: int
    arms: Mapping[str, Mapping[str, Estimate]]
    gain: Mapping[str, Difference]
    verdict: Mapping[str, Name]
    gap: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Nested dicts of finite numbers and words."""
        return asdict(self)


def row(
    cell: Cell,
    epochs: int,
    held: Sequence[Mapping[str, Any]],
    parts: Parts,
    timing: Mapping[str, Mapping[str, float]],
) -> Row | None:
    """The row after so many epochs from all seeds that came so far; None where none did.

    The learning rate is constant, so that the first epochs of a longer run are the shorter run.
    """
    own = [part for part in held if str(epochs) in part["tested"]]
    if not own:
        return None
    scores = [parts.read_scores(cell, part["seed"], epochs) for part in own]
    stacked = {arm: {name: np.stack([s[arm][name] for s in scores], 1) for name in SCORES} for arm in ARMS}
    gain = {name: compare(stacked["plain"][name], stacked["dropout"][name]) for name in SCORES}
    steps = -(-len(cell.fit) // SETTING.batch_size) * epochs
    return Row(
        protocol=cell.protocol,
        n=cell.n,
        epochs=epochs,
        seeds=len(own),
        arms={arm: {name: interval(values) for name, values in per.items()} for arm, per in stacked.items()},
        gain=gain,
        verdict={name: grade(difference) for name, difference in gain.items()},
        gap={arm: {name: _gap(own, arm, name, epochs) for name in SCORES} for arm in ARMS},
        seconds={arm: timing[arm]["ms_per_step"] * steps / 1e3 for arm in ARMS},
    )


def table(rows: Sequence[Row], note: str) -> str:
    """The rows as a Markdown table, with what a reader must know to read it."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD), *(_line(found) for found in rows)]
    return "\n".join(lines) + f"\n\n{explanation(rows, note)}"


def explanation(rows: Sequence[Row], note: str) -> str:
    """What stands under the table."""
    most, least = max(found.seeds for found in rows), min(found.seeds for found in rows)
    uneven = (
        f" The rows with {least} instead of {most} seeds have fewer because {LONG} epochs on all rows take long."
        if least < most
        else ""
    )
    return (
        f"Data: {note}. Both arms: one hidden layer of {SETTING.width} ReLU units, Adam at {SETTING.learning_rate:g}, "
        f"batches of {SETTING.batch_size}, inputs divided by their largest possible value; dropout 0.2 on the hidden "
        "layer. *usual*: all training rows are trained on and the test set is the validation set, as it is mostly "
        "written. *honest*: the last sixth of the training rows is the validation set and the test set is scored at "
        f"the end of the {SHORT} and of the {LONG} epochs only. The learning rate is constant, so the {SHORT}-epoch "
        f"figures are those of the {LONG}-epoch runs on their way. Gains are plain − dropout, positive where dropout "
        "is better, paired by test example and seed, each interval for itself (tauten.evidence.compare; new seeds and "
        "new examples, this training set). Gap: validation log loss less training log loss, both in evaluation mode, "
        f"the latter on the first {TRAIN_ROWS:,} rows that were trained on (or all, where they are fewer). Seconds: "
        "one training alone on one thread, extrapolated from the measured milliseconds a step; the runs themselves "
        "trained both arms together." + uneven
    )


def reading(rows: Sequence[Row]) -> str:
    """One sentence that says what was seen, made from the figures alone."""
    usual = sorted((found for found in rows if found.protocol == "usual"), key=lambda r: (-r.n, r.epochs))
    honest = {(found.n, found.epochs): found for found in rows if found.protocol == "honest"}
    unlike = [
        f"{WORDS[name]} on {h.n:,} rows after {h.epochs} epochs ({_gain(h, name)})"
        for u in usual
        if (h := honest.get((u.n, u.epochs)))
        for name in SCORES
        if _sign(u, name) != _sign(h, name)
    ]
    agreement = f"answers otherwise for {' and for '.join(unlike)}" if unlike else "gives the same answers"
    return (
        f"With the usual protocol, {'; '.join(map(_clause, usual))}; the honest split, which trains on a sixth fewer "
        f"rows, {agreement}; of {2 * len(rows)} intervals of 95 %, each for itself, about one in twenty leaves out 0 "
        "by chance; to watch the test set as validation does no harm here only because nothing, neither an epoch nor "
        "a value, is chosen on it; and the published 1.60 % against 1.25 % come from larger networks and a million "
        "updates, so they can't be compared with these figures."
    )


def _clause(found: Row) -> str:
    verbs = {1: "lowers", 0: "makes no difference beyond chance to", -1: "raises"}
    return (
        f"on {found.n:,} rows after {found.epochs} epochs ({found.seeds} seeds) dropout "
        f"{verbs[_sign(found, 'error')]} the test error ({_percent(found, 'plain')} % plain, "
        f"{_percent(found, 'dropout')} % dropout, {_gain(found, 'error')}) and {verbs[_sign(found, 'log_loss')]} the "
        f"log loss ({_gain(found, 'log_loss')})"
    )


def _gain(found: Row, name: str) -> str:
    gain = found.gain[name]
    if name == "error":
        return f"gain {gain.mean * 100:+.2f} points, {gain.low * 100:+.2f} to {gain.high * 100:+.2f}"
    return f"gain {gain.mean:+.4f}, {gain.low:+.4f} to {gain.high:+.4f}"


def _sign(found: Row, name: str) -> int:
    """1 and −1 where the interval of the gain leaves out 0."""
    gain = found.gain[name]
    return int(gain.low > 0) - int(gain.high < 0)


def _line(found: Row) -> str:
    error, loss = found.gain["error"], found.gain["log_loss"]
    cells = [
        found.protocol,
        f"{found.n:,}",
        str(found.epochs),
        str(found.seeds),
        *(_percent(found, arm) for arm in ARMS),
        f"{error.mean * 100:+.2f} [{error.low * 100:+.2f}, {error.high * 100:+.2f}]",
        *(f"{found.arms[arm]['log_loss'].mean:.4f}" for arm in ARMS),
        f"{loss.mean:+.4f} [{loss.low:+.4f}, {loss.high:+.4f}]",
        *(f"{found.gap[arm]['log_loss']:+.4f}" for arm in ARMS),
        *(f"{found.seconds[arm]:.3g}" for arm in ARMS),
    ]
    return "| " + " | ".join(cells) + " |"


def _percent(found: Row, arm: str) -> str:
    return f"{found.arms[arm]['error'].mean * 100:.2f}"


def _gap(held: Sequence[Mapping[str, Any]], arm: str, name: str, epochs: int) -> float:
    curves = [part["curves"][arm] for part in held]
    return float(np.mean([c[f"validation_{name}"][epochs - 1] - c[f"train_{name}"][epochs - 1] for c in curves]))
