"""What a person may ask of a search, checked; and what is filled in where nothing is asked."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from tauten.callables import load_technique
from tauten.cores import free_cores
from tauten.declare import Value, suggest
from tauten.errors import OptionError
from tauten.nets.built_in import AUTO
from tauten.partners import misfit
from tauten.setting import Setting
from tauten.technique import Technique, technique, techniques
from tauten.text.layout import TextLayout

SMALL: Mapping[str, Mapping[str, Value]] = {
    "images": {"width": 64, "depth": 1, "learning_rate": 0.005, "schedule": "warm_cosine"},
    "text": {"depth": 0, "learning_rate": 0.02},
}
"""What a search of some data begins with. Images: a step takes a fifth of the time of one at the setting's own size
(128, 2), and of 1,000 digits it learns no less than one of (64, 2); in 300 steps its accuracy is a half to one and a
half points above that at a constant 0.001 (`docs/architecture.md`). Text: no hidden layer, which would lose (TREC,
accuracy of two trainings, 88.7 % with one and 90.4 % without), and a rate at which words are soon learnt: five epochs
of 500 texts reach, at 0.001, 0.005 and 0.02, an accuracy of 52, 64 and 67 % on SST-2 and an F1 of .02, .10 and .88 on
SMS spam (five trainings)."""
BATCHES: Mapping[str, Sequence[tuple[int, int]]] = {
    "images": ((10_000, 128), (0, 32)),
    "any": ((1000, 128), (300, 64), (0, 32)),
}
"""Rows of a step, from so many training rows on. Of few images a small batch learns as much in fewer epochs: a quarter
of them at 32 instead of 128, in the same number of steps, takes two fifths of the time and reaches 85.0 instead of
84.2 % on 2,000 clothes of Fashion-MNIST, 97.1 instead of 97.0 % on 1,000 digits (batch norm, two trainings)."""
STEPS: Mapping[str, tuple[int, int]] = {"any": (300, 10), "text": (100, 5)}
"""Optimizer steps of a full training, and its fewest epochs, unless epochs are given. At the rate of texts a third does
as well or better (five trainings): TREC at 500 texts, 76.8 % after 20 epochs and 75.5 after 60; at 2,000, 83.9 % after
9 and 81.4 after 27; all of SST-2, 79.9 % after 3 and 79.1 after 10; SMS spam at 500, F1 .90 after 20 and after 40."""
PRECISIONS = ("auto", "fp32", "bf16")
"""Of matrix products in training; auto is bf16 where the processor has it, which keeps the ranking of recipes."""
MAIN = 0.5
"""The main search's share of a budget where outer searches follow."""
READING = (
    "task", "categorical", "drop", "text", "synonyms", "back_translate", "embed", "groups", "time", "weight",
    "holdout_file",
)  # fmt: skip
"""Options that say how the data is to be read."""
BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a search. `setting` holds what the person has fixed; the rest of the setting is tuned or filled in.

    `budget` in seconds or `trials` (recipes in the race) bound it; trials make it reproducible to the bit.
    `task` overrides the guess; `categorical`, `drop` and `text` name columns: to be read as labels, to be left out, to
    be read as words, or where `embed` names a function as its vectors of whole texts. `groups` names the column of what
    must stay on one side of every split, `time` that of what comes later, `weight` that of what each row counts,
    `holdout_file` a file that is the holdout. `class_weight` "balanced" trains every arm as if all classes were equally
    frequent. `nested` is the number of outer folds that are searched after the main search.
    `augment` says where techniques of a person's own are, which have been loaded. `synonyms` is the folder of a
    WordNet or a CSV of one's own, where that is not what is installed, `back_translate` names the languages by way of
    which texts are translated there and back.
    """

    budget: float | None = None
    trials: int | None = None
    metric: str = "auto"
    sampler: str = "tpe"
    techniques: tuple[str, ...] | None = None
    grid: Mapping[str, tuple[Value, ...]] = dataclasses.field(default_factory=dict)
    setting: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    folds: int | None = None
    holdout: float = 0.2
    seed: int = 0
    threads: int = 1
    precision: str = "auto"
    task: str | None = None
    categorical: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    embed: str | None = None
    groups: str | None = None
    time: str | None = None
    holdout_file: str | None = None
    weight: str | None = None
    class_weight: str | None = None
    nested: int = 0
    augment: tuple[str, ...] = ()
    back_translate: tuple[str, ...] = ()
    synonyms: str | None = None

    def __post_init__(self) -> None:
        if (self.budget is None) == (self.trials is None):
            raise OptionError("give either a budget (such as 5m) or a number of trials, not both and not neither.")
        if self.budget is not None and not self.budget > 0:
            raise OptionError(f"budget is {self.budget:g} seconds; it must be more than 0, such as 60s or 5m.")
        if self.trials is not None and self.trials < 3:
            raise OptionError(f"trials is {self.trials}; at least 3 are needed: plain, usual and one recipe.")
        if self.threads < 1:
            raise OptionError(f"threads is {self.threads}; it must be 1 or more, or auto.")
        if self.precision not in PRECISIONS:
            raise OptionError(f"precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}.")
        if self.groups is not None and self.time is not None:
            raise OptionError(
                f"groups ({self.groups}) and time ({self.time}) were both given; give the one that splits the rows."
            )
        if self.class_weight not in (None, "balanced"):
            raise OptionError(f"class_weight is {self.class_weight!r}; it must be 'balanced', or left out.")
        if self.nested < 0 or self.nested == 1:
            raise OptionError(f"nested is {self.nested}; it must be 2 outer folds or more, such as 5, or 0 for none.")
        for name in self.techniques or ():
            technique(name)
        Setting.from_dict(self.setting)

    @property
    def main_budget(self) -> float | None:
        """Seconds of the main search."""
        return self.budget * MAIN if self.budget is not None and self.nested else self.budget

    def setting_for(self, rows: int, data: str = "tables", own_module: bool = False) -> Setting:
        """The full setting for so many training rows: small batches for small tables, about 300 steps (of texts 100).

        Of images and texts the network is a small one at a rate that suits it, unless the person has asked for an MLP
        or trains a module of their own.
        """
        small = not own_module and self.setting.get("net") != "mlp"
        batch = next(
            size for least, size in BATCHES["images" if small and data == "images" else "any"] if rows >= least
        )
        batch = min(Setting.from_dict({"batch_size": batch, **self.setting}).batch_size, rows)
        steps, fewest = STEPS.get(data, STEPS["any"]) if small else STEPS["any"]
        epochs = min(100, max(fewest, round(steps / -(-rows // batch))))
        net = SMALL.get(data, {}) if small else {}
        return Setting.from_dict({"epochs": epochs, **net, **self.setting, "batch_size": batch})

    def tuned(self, numeric: Collection[str] = (), words: bool = False) -> tuple[str, ...]:
        """The parts of the setting that the search tunes: those that the person has not fixed.

        `numeric` are the ways in which the table's numbers may enter, `words` tells whether a built-in network reads
        text.
        """
        further = (("numeric", len(numeric) > 1), ("net", words and not self.grid))
        free = ("learning_rate", "schedule", "epochs", *(key for key, there in further if there))
        return tuple(k for k in free if k not in self.setting)

    def numeric(self, own_module: bool) -> tuple[str, ...]:
        """The ways in which a search may let numbers enter: as fixed or named in the grid, else all.

        A module of one's own has inputs of its own, so the first unless fixed.
        """
        ways = Setting.choices()["numeric"]
        asked = self.grid.get("setting.numeric", (ways.default,) if own_module or self.grid else ways.options)
        return tuple(map(str, (self.setting["numeric"],) if "numeric" in self.setting else asked))

    def kinds(
        self, task: str, built_in: bool, data: str = "tables", layout: TextLayout | None = None
    ) -> tuple[type[Technique], ...]:
        """The techniques to search over: those asked for, or all that suit the task, the network and the data."""
        every = techniques()
        why = {name: self._unable(kind, task, built_in, data, layout) for name, kind in every.items()}
        if self.techniques is None:
            return tuple(kind for name, kind in every.items() if not why[name])
        for name in self.techniques:
            if why[name]:
                raise OptionError(f"technique {name!r} {why[name]}; leave it out of --techniques.")
        return tuple(every[name] for name in dict.fromkeys(self.techniques))

    def _unable(self, kind: type[Technique], task: str, built_in: bool, data: str, layout: TextLayout | None) -> str:
        """Why a technique can't be searched over, in words that follow its name; empty where it can."""
        if why := misfit(kind, task, data, layout):
            return why
        if not built_in:
            return "" if kind.grafts() else "can't be put into a module"
        # A convnet always has a first layer; every other network may be linear.
        if kind.structural() and data != "images" and self.setting_for(1, data).depth == 0:
            return "is structural and the network has no hidden layer"
        net = str(self.setting.get("net", "auto"))
        net = AUTO[data] if net == "auto" else net
        return (
            f"can't act on the net {net}, only on {' or '.join(kind.nets)}"
            if kind.nets and net not in kind.nets
            else ""
        )

    def reading(self) -> dict[str, str]:
        """What was said of the data, by the option's name and as the command line takes it."""
        said = {name: getattr(self, name) for name in READING}
        return {name: value if isinstance(value, str) else ",".join(value) for name, value in said.items() if value}

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal's header."""
        own = dataclasses.asdict(self)
        return {**own, "grid": {k: list(v) for k, v in self.grid.items()}, "setting": dict(self.setting)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From a journal's header."""
        augment = tuple(stored.get("augment", ()))
        for reference in augment:
            load_technique(reference)
        grid = {k: tuple(v) for k, v in stored["grid"].items()}
        chosen = None if stored["techniques"] is None else tuple(stored["techniques"])
        columns = {name: tuple(stored.get(name, ())) for name in ("categorical", "drop", "text", "back_translate")}
        return cls(**{**stored, **columns, "grid": grid, "techniques": chosen, "augment": augment})


def parse_budget(text: str | float) -> float:
    """Seconds from `90`, `60s`, `5m` or `1h`.

    >>> parse_budget("5m")
    300.0
    """
    if isinstance(text, int | float):
        return float(text)
    match = BUDGET.fullmatch(text.strip())
    if not match:
        raise OptionError(f"budget {text!r} can't be read; write seconds, minutes or hours, such as 60s, 5m or 1h.")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[match[2]]


def parse_threads(text: str | int) -> int:
    """A number of threads; `auto` is the number of cores that this process may use."""
    if text == "auto":
        return free_cores()
    try:
        return int(text)
    except ValueError:
        raise OptionError(f"threads is {text!r}; it must be a whole number or auto.") from None


def parse_columns(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names of columns from `age,town` or a sequence; a name that holds a comma takes a sequence.

    >>> parse_columns("age, town")
    ('age', 'town')
    """
    return tuple(n.strip() for n in text.split(",") if n.strip()) if isinstance(text, str) else tuple(text or ())


def parse_names(text: str | Sequence[str | type[Technique]] | None) -> tuple[str, ...] | None:
    """Technique names from `dropout,l1`, or a sequence of names or techniques; an unknown one is refused with the
    nearest."""
    if text is None:
        return None
    given = text.split(",") if isinstance(text, str) else [n if isinstance(n, str) else n.name for n in text]
    names = tuple(n.strip() for n in given if n.strip())
    if not names:
        raise OptionError(f"techniques is {text!r}; name at least one, or leave the option out for all.")
    for name in names:
        if name not in techniques():
            raise OptionError(f"there is no technique {name!r}; {suggest(name, techniques())}.")
    return names
