"""What everyone in `text` is given: training texts, all or few of them, and a test part for the end."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import train_test_split

from tauten.metrics import Metric, metrics_for

TEXT, TARGET = "text", "label"
SETS = {"sst2": "accuracy", "trec": "accuracy", "sms": "f1"}
"""The metric of each, which is searched for."""
SIZES = ("500", "2000", "all")
SEED, SHARE = 0, 0.2
"""Of the draw of training texts, and of SMS spam's test part, both stratified; chosen before anything was trained."""
PUBLISHED = {
    "sst2": ("sst2/stsa.binary.train", "sst2/stsa.binary.test", "utf-8"),
    "trec": ("trec/TREC.train.all", "trec/TREC.test.all", "latin-1"),
}
SMS = "sms_spam/SMSSpamCollection"


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Training texts and a test part, as frames of the columns `text` and `label`."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame

    @classmethod
    def of(cls, name: str, size: str, folder: Path) -> "Problem":
        """By its name in `SETS` and a size of `SIZES`, out of a folder that holds the sets' folders.

        No training text stands in the test part: those that do are left out.
        """
        train, test = _published(name, folder) if name in PUBLISHED else _drawn(folder)
        train = train[~train[TEXT].isin(test[TEXT])]
        if size != "all":
            train, _ = train_test_split(train, train_size=int(size), stratify=train[TARGET], random_state=SEED)
        return cls(name, train.reset_index(drop=True), test.reset_index(drop=True))

    @property
    def classes(self) -> npt.NDArray[np.str_]:
        """In the order of a network's outputs."""
        return np.unique(self.train[TARGET].to_numpy(dtype=str))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metric that is searched for, and accuracy where that is another."""
        names = dict.fromkeys((SETS[self.name], "accuracy"))
        codes = np.searchsorted(self.classes, self.train[TARGET].to_numpy(dtype=str))
        return tuple(metrics_for(name, "classification", codes)[0] for name in names)

    def contributions(self, outputs: npt.NDArray[np.float64], own: Metric) -> npt.NDArray[np.float64]:
        """Each test text's share (n,) in a metric of outputs (n, classes)."""
        return own.contributions(outputs, self.one_hot(self.test[TARGET].to_numpy(dtype=str)))

    def one_hot(self, labels: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
        """Labels as outputs (n, classes): 1 for the class named, else 0."""
        return (labels[:, None] == self.classes).astype(np.float64)


def _published(name: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines of a class, a blank and a text."""
    train, test, encoding = PUBLISHED[name]
    return _frame(folder / train, encoding, " "), _frame(folder / test, encoding, " ")


def _drawn(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines of a class, a tab and a text below a header; a stratified fifth is the test."""
    frame = _frame(folder / SMS, "utf-8", "\t").iloc[1:]
    train, test = train_test_split(frame, test_size=SHARE, stratify=frame[TARGET], random_state=SEED)
    return train, test


def _frame(path: Path, encoding: str, between: str) -> pd.DataFrame:
    pairs = [line.split(between, 1) for line in path.read_text(encoding=encoding).split("\n") if line]
    return pd.DataFrame(pairs, columns=[TARGET, TEXT])
