"""A model's predictions as a table: one row for each row of the data, in its order."""

import numpy as np
import pandas as pd

from tauten.errors import DataError, OptionError
from tauten.model import Model


def predictions(model: Model, frame: pd.DataFrame, level: float | None = None) -> pd.DataFrame:
    """Predictions for the rows of a frame that has the columns of training, in any order, with or without others.

    Columns: `prediction`, and `probability_CLASS` for each class; in regression with a `level` instead `low` and
    `high`, between which a share `level` of such rows' targets lies. Of several targets `prediction_TARGET` for each,
    of labels with `probability_TARGET`. Raises DataError for columns that are missing or
    of another kind, and for no rows; OptionError for a level that the model has no interval for.
    """
    if not len(frame):
        raise DataError("the data has no rows; expected at least one to predict.")
    if len(model.targets) > 1 and level is None:
        return _several(model, frame)
    if model.scale is not None:
        columns = {"prediction": model.predict(frame)}
        if level is not None:
            columns["low"], columns["high"] = model.predict_interval(frame, level).T
        return pd.DataFrame(columns)
    if level is not None:
        raise OptionError(
            f"interval is {level:g}, and the run predicts classes with probabilities; leave the interval out."
        )
    probabilities = model.predict_proba(frame)
    names = [f"probability_{name}" for name in model.classes]
    labels = np.array(model.classes)[probabilities.argmax(1)]
    return pd.DataFrame({"prediction": labels} | dict(zip(names, probabilities.T, strict=True)))


def _several(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    parts = {"prediction": model.predict(frame)}
    if model.scale is None:
        parts["probability"] = model.predict_proba(frame)
    named = {part: zip(model.targets, values.T, strict=True) for part, values in parts.items()}
    return pd.DataFrame({f"{part}_{name}": own for part, each in named.items() for name, own in each})
