"""A model's predictions as a table: one row for each row of the data, in its order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauten.data import (
    ArrayPreprocessor,
    TextPreprocessor,
    VectorPreprocessor,
    images_alone,
    read,
    texts_alone,
)
from tauten.data.columns import listed
from tauten.data.documents import ENDING
from tauten.errors import DataError, OptionError
from tauten.model import Model


def rows_of(model: Model, source: str | Path) -> tuple[Any, list[str] | None]:
    """What a path holds as `predictions` takes it, and for pictures or .txt files in a folder their names in it.

    A table's file as `read` takes it, for a model of arrays what `images_alone` reads, and for one of texts alone also
    a folder of .txt files; DataError where it can't.
    """
    learnt = model.preprocessor
    if isinstance(learnt, ArrayPreprocessor):
        names, values = images_alone(source, learnt.shape)
        return values, names
    if not (Path(source).is_dir() or Path(source).suffix.lower() == ENDING):
        return read(source), None
    if not isinstance(learnt, TextPreprocessor | VectorPreprocessor):
        raise DataError(f"{str(source)!r} holds no table: expected a file with the columns that training saw")
    read_of = _columns(learnt)
    if len(read_of) > 1:
        raise DataError(
            f"{str(source)!r} holds texts alone, and training saw {listed(read_of)}: expected a file with these columns"
        )
    names, texts = texts_alone(source)
    return pd.DataFrame({read_of[0]: texts}), names


def _columns(learnt: TextPreprocessor | VectorPreprocessor) -> list[str]:
    """The columns of a file that the network reads."""
    own = {column.name for column in learnt.others.layout.columns}
    vectors = {name for name in own if any(name.startswith(f"{text}[") for text in learnt.columns)}
    return [*learnt.columns, *sorted(own - vectors if isinstance(learnt, VectorPreprocessor) else own)]


def predictions(
    model: Model, rows: Any, level: float | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Predictions for an array as training saw it, or a frame with its columns, in any order, with or without others.

    Columns: `file` where `names` are given; `prediction`, and `probability_CLASS` for each class; in regression with a
    `level` instead `low` and `high`, between which a share `level` of such rows' targets lies. Of several targets
    `prediction_TARGET` for each, of labels with `probability_TARGET`. Raises DataError for columns that are missing or
    of another kind, and for no rows; OptionError for a level that the model has no interval for.
    """
    if not len(rows):
        raise DataError("the data has no rows; expected at least one to predict.")
    table = _predicted(model, rows, level)
    if names is not None:
        table.insert(0, "file", names)
    return table


def _predicted(model: Model, rows: Any, level: float | None) -> pd.DataFrame:
    if len(model.targets) > 1 and level is None:
        return _several(model, rows)
    if model.scale is not None:
        columns = {"prediction": model.predict(rows)}
        if level is not None:
            columns["low"], columns["high"] = model.predict_interval(rows, level).T
        return pd.DataFrame(columns)
    if level is not None:
        raise OptionError(
            f"interval is {level:g}, and the run predicts classes with probabilities; leave the interval out."
        )
    probabilities = model.predict_proba(rows)
    names = [f"probability_{name}" for name in model.classes]
    labels = np.array(model.classes)[probabilities.argmax(1)]
    return pd.DataFrame({"prediction": labels} | dict(zip(names, probabilities.T, strict=True)))


def _several(model: Model, rows: Any) -> pd.DataFrame:
    parts = {"prediction": model.predict(rows)}
    if model.scale is None:
        parts["probability"] = model.predict_proba(rows)
    named = {part: zip(model.targets, values.T, strict=True) for part, values in parts.items()}
    return pd.DataFrame({f"{part}_{name}": own for part, each in named.items() for name, own in each})
