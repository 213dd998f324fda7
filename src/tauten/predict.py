"""A model's predictions as a table: one row for each row of the data, in its order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauten.data import ArrayPreprocessor, images_alone, read
from tauten.errors import DataError, OptionError
from tauten.model import Model


def rows_of(model: Model, source: str | Path) -> tuple[Any, list[str] | None]:
    """What a path holds as `predictions` takes it, and for pictures in a folder their names in it.

    A table's file as `read` takes it, and for a model of arrays what `images_alone` reads; DataError where it can't.
    """
    if not isinstance(model.preprocessor, ArrayPreprocessor):
        return read(source), None
    names, values = images_alone(source, model.preprocessor.shape)
    return values, names


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
