"""Anything with rows and columns as a DataFrame of one form, so that a table reads alike wherever it came from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype, is_string_dtype

from tauten.data.columns import listed
from tauten.errors import DataError

BLANKS = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A")
"""Words that stand for a missing value in a column of text."""


def as_frame(X: Any) -> pd.DataFrame:
    """X (n, d) as a DataFrame with a fresh index and text for column names ("x0", "x1", … for an array).

    The words of `BLANKS` become missing values. Raises DataError for another number of dimensions, and for two columns
    of one name.
    """
    if not isinstance(X, pd.DataFrame):
        # As objects a list of rows keeps what it holds (numpy would turn [1, "a"] into text), and a ragged one shows.
        array = np.asarray(X, dtype=None if hasattr(X, "dtype") else object)
        if array.ndim != 2:
            raise DataError(
                f"X has shape {array.shape}: expected two dimensions, rows and columns (X.reshape(len(X), -1) or "
                "X.toarray() makes them)"
            )
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    else:
        frame = X.reset_index(drop=True)
        frame.columns = pd.Index([str(column) for column in X.columns])
        refuse_duplicates(list(frame.columns), "X")
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype) or is_object_dtype(dtype) or is_string_dtype(dtype):
            blank = frame[name].isin(BLANKS)
            if blank.any():
                frame[name] = frame[name].mask(blank, None)
    return frame


def refuse_duplicates(names: Sequence[str], where: str) -> None:
    """DataError where a name stands twice; `where` begins the sentence."""
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{where} has more than one column named {listed(twice)}: give every column its own name")
