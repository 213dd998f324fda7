"""Columns of text as sentence vectors of a person's own function, beside the other columns of a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import labels, listed
from tauten.data.frames import as_frame
from tauten.data.layout import Layout
from tauten.data.preprocess import Preprocessor
from tauten.data.table import Table
from tauten.errors import DataError
from tauten.reference import load_reference


class Encoder(NamedTuple):
    """What turns texts into vectors: a function of a list of n texts that gives an array (n, d), and FILE.py:NAME."""

    reference: str
    encode: Callable[[list[str]], Any]

    @classmethod
    def of(cls, reference: str) -> "Encoder":
        """The function that is named; DataError where there is none."""
        found = load_reference(
            reference, "embed", "my_vectors.py:encode", "gives an array (n, d) for n texts", DataError
        )
        return cls(reference, found)

    def vectors(self, frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        """The frame with numbers `review[0]`, `review[1]` … in the place of each column of text.

        What is missing is an empty text; each text is encoded once however often it occurs. Raises DataError for what
        is no array (n, d) of finite numbers.
        """
        parts: dict[str, npt.NDArray[np.float64]] = {}
        for name in columns:
            codes, texts = pd.factorize(pd.Series([text or "" for text in labels(frame[name])], dtype=object))
            given = np.asarray(self.encode(list(texts)))
            if given.ndim != 2 or len(given) != len(texts) or given.dtype.kind not in "fiu" or not given.shape[1]:
                raise DataError(
                    f"{self.reference} gives an array of shape {given.shape} and {given.dtype} for {len(texts)} texts: "
                    f"expected numbers ({len(texts)}, d)"
                )
            if not np.isfinite(given).all():
                raise DataError(
                    f"{self.reference} gives NaN or infinity for texts of {name!r}: expected finite numbers"
                )
            parts |= {f"{name}[{i}]": own for i, own in enumerate(given.astype(np.float64)[codes].T)}
        return pd.concat([frame.drop(columns=[*columns]), pd.DataFrame(parts, index=frame.index)], axis=1)


@dataclass(frozen=True)
class VectorPreprocessor:
    """What one fold's training rows taught of a table whose columns of text are vectors.

    `encoder` is not stored: a model's file names no code that would be run.
    """

    columns: tuple[str, ...]
    others: Preprocessor
    encoder: Encoder | None = field(default=None, compare=False)

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """(n, d) float32 for a frame with columns of text, or with their vectors in their place.

        Raises DataError where columns are missing.
        """
        frame = as_frame(X)
        if {column.name for column in self.others.layout.columns} <= {*frame}:
            return self.others.transform(frame)
        if absent := [name for name in self.columns if name not in frame]:
            raise DataError(
                f"the data lacks {listed(absent)}, of the columns of text that training saw: add them, empty where "
                "unknown"
            )
        assert self.encoder is not None, "Model.load asks for it"
        return self.others.transform(self.encoder.vectors(frame, self.columns))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"embedded": list(self.columns), "others": self.others.to_json()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "VectorPreprocessor":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            return cls(tuple(stored["embedded"]), Preprocessor.from_json(stored["others"]))
        except (KeyError, TypeError) as error:
            raise DataError(
                f"the stored preprocessing can't be read ({error!r}): expected what VectorPreprocessor.to_json wrote, "
                "so fit anew"
            ) from error


@dataclass(frozen=True, eq=False)
class VectorTable(Table):
    """A table whose frame holds vectors in the place of its columns of text, which `text` names."""

    text: tuple[str, ...] = ()
    encoder: Encoder | None = None

    def learnt(self, rows: npt.NDArray[np.int64], layout: Layout) -> VectorPreprocessor:
        """As of every table."""
        return VectorPreprocessor(self.text, super().learnt(rows, layout), self.encoder)
