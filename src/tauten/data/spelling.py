"""Ids of words back to the words, for a person to read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tauten.data.texts import TextPreprocessor
from tauten.text.coded import Texts
from tauten.text.words import BREAK

UNKNOWN, BETWEEN = "?", "|"
"""What stands for a word that isn't known any more, and between the texts of two columns."""


@dataclass(frozen=True, eq=False)
class Spelling:
    """The words of some texts by the ids that a preprocessor gives them.

    Words that are not in the vocabulary share ids, so each row is read by what it holds itself, with its alternatives
    and translations.
    """

    preprocessor: TextPreprocessor
    texts: Texts

    def read(self, row: int, ids: npt.ArrayLike) -> list[str]:
        """The words (L,) of ids that came of a row of the texts; places without a word are left out."""
        own = self._own(row)
        found = [i for i in np.asarray(ids).astype(np.int64).tolist() if i > 0]
        words = [own.get(i) or self.preprocessor.word(i) or UNKNOWN for i in found]
        return [BETWEEN if word == BREAK else word for word in words]

    def _own(self, row: int) -> Mapping[int, str]:
        texts = self.texts
        codes = texts.codes[row][texts.codes[row] >= 0]
        parts = [codes, *(t[codes].ravel() for t in (texts.synonyms, texts.typos) if t is not None)]
        if texts.translations is not None:
            parts.append(texts.translations[row].ravel())
        words = [texts.words[code] for part in parts for code in part.tolist() if code >= 0]
        own: dict[int, str] = {}
        for word, i in zip(words, self.preprocessor.ids(words), strict=True):
            own.setdefault(i, word)
        return own
