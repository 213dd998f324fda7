"""What every contender of `tables` is given, and how its answer is judged: one split of one table.

The test rows are taken out before any contender sees the table, as Kadra et al. 2021 do it: a stratified fifth, by
scikit-learn's `train_test_split(random_state=seed)`. Rows that repeat may stand on both sides, as they do there.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split

from tauten.data import load
from tauten.data.columns import labels, measured
from tauten.data.layout import Layout
from tauten.data.preprocess import Preprocessor
from tauten.evidence import compare
from tauten.metrics import metrics_for

TARGET, SUFFIX = "target", ".csv.gz"
LARGE = 6000
"""Tables of more rows have one split, and more time."""
METRIC = {"classification": "balanced_accuracy", "regression": "rmse"}
CODED = ("connect-4",)
"""Tables whose every column is a code written as a number; all contenders are told so."""
MISSING = "missing"
"""The label of no label, for libraries that want one."""


@dataclass(frozen=True)
class Answer:
    """What a contender says of the test rows: numbers (n,), or classes with probabilities (n, K) in their order.

    `predicted` are the labels it decides for, where that is not the most probable class.
    """

    values: npt.NDArray[np.float64]
    classes: tuple[str, ...] = ()
    predicted: npt.NDArray[Any] | None = None

    @property
    def labels(self) -> npt.NDArray[Any]:
        """The class of each row."""
        return np.array(self.classes, object)[self.values.argmax(1)] if self.predicted is None else self.predicted

    def divided(self, shares: npt.NDArray[np.float64]) -> "Answer":
        """Decided by probability over the class's share in training (K,): best for balanced accuracy without weights.

        >>> Answer(np.array([[0.6, 0.4]]), ("a", "b")).divided(np.array([0.9, 0.1])).labels.tolist()
        ['b']
        """
        return Answer(self.values, self.classes, np.array(self.classes, object)[(self.values / shares).argmax(1)])


@dataclass(frozen=True, eq=False)
class Split:
    """One table, split: `train` and `test` with the column `target`, whose classes are text."""

    name: str
    seed: int
    task: str
    train: pd.DataFrame
    test: pd.DataFrame
    categorical: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        """Whether classes count alike, so that every contender weights them."""
        return self.task == "classification"

    @property
    def metric(self) -> str:
        """The metric that this task is judged by."""
        return METRIC[self.task]

    @cached_property
    def y(self) -> npt.NDArray[Any]:
        """Training targets (n,): text or float64."""
        return self._targets(self.train)

    @cached_property
    def truth(self) -> npt.NDArray[Any]:
        """Test targets (m,): text or float64."""
        return self._targets(self.test)

    @cached_property
    def features(self) -> pd.DataFrame:
        """Training features as Tauten reads them: the same columns of the same kinds for every contender."""
        return load(self.train, TARGET, self.task, categorical=self.categorical).frame

    @cached_property
    def layout(self) -> Layout:
        """Their columns and kinds."""
        return Layout.of(self.features)

    def numbers(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Training and test features as Tauten's preprocessing makes them, for models that only take numbers."""
        fitted = Preprocessor.fit(self.features, self.layout)
        return fitted.transform(self.features), fitted.transform(self.test)

    def columns(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Training and test features of the same columns, for models with a preprocessing of their own.

        Numbers are float64 with NaN where missing, labels are categories; those not seen in training are missing.
        """
        known: dict[str, pd.CategoricalDtype] = {}
        frames = []
        for given in (self.train, self.test):
            frame = {}
            for c in self.layout.columns:
                if c.kind != "category":
                    frame[c.name] = pd.Series(measured(given[c.name], c.kind), dtype=float)
                    continue
                texts = pd.Series([MISSING if v is None else v for v in labels(given[c.name])], dtype=object)
                kind = known.setdefault(c.name, pd.CategoricalDtype(sorted({*texts, MISSING})))
                frame[c.name] = texts.where(texts.isin(kind.categories), MISSING).astype(kind)
            frames.append(pd.DataFrame(frame))
        return frames[0], frames[1]

    def scores(self, answer: Answer) -> dict[str, float]:
        """Figures of an answer, by scikit-learn."""
        if self.task == "regression":
            return {"rmse": root_mean_squared_error(self.truth, answer.values)}
        return {
            "balanced_accuracy": balanced_accuracy_score(self.truth, answer.labels),
            "accuracy": accuracy_score(self.truth, answer.labels),
            "log_loss": log_loss(self.truth, answer.values, labels=list(answer.classes)),
        }

    def gain(self, over: Answer, answer: Answer) -> dict[str, float]:
        """How much better an answer is, paired over the test rows: mean, and the 95 % interval of these two models."""
        found = compare(self._rows(over), self._rows(answer))
        return {"mean": found.mean, "low": found.low, "high": found.high}

    def _rows(self, answer: Answer) -> npt.NDArray[np.float64]:
        if self.task == "regression":
            metric = metrics_for(self.metric, self.task, self.truth)[0]
            return metric.contributions(answer.values[:, None], self.truth[:, None])
        classes = np.array(answer.classes, object)
        metric = metrics_for(self.metric, self.task, np.unique(self.truth, return_inverse=True)[1])[0]
        said, truth = ((given[:, None] == classes).astype(float) for given in (answer.labels, self.truth))
        return metric.contributions(said, truth)

    def _targets(self, frame: pd.DataFrame) -> npt.NDArray[Any]:
        return frame[TARGET].to_numpy(object if self.task == "classification" else float, copy=True)


def split_of(path: Path, seed: int) -> Split:
    """The split of a table's file by a seed."""
    frame, name = pd.read_csv(path), path.name.removesuffix(SUFFIX)
    categorical = tuple(frame.columns.drop(TARGET)) if name in CODED else ()
    task = load(frame, TARGET, categorical=categorical).task
    # Stratified by the column as it was read: the order of the classes decides which rows are drawn.
    stratify = frame[TARGET] if task == "classification" else None
    train, test = train_test_split(frame, test_size=0.2, random_state=seed, stratify=stratify)
    if task == "classification":
        train, test = (part.assign(target=part[TARGET].astype(str).astype(object)) for part in (train, test))
    return Split(name, seed, task, train.reset_index(drop=True), test.reset_index(drop=True), categorical)
