"""Tables with columns of text: their rows as planes of word ids, beside numbers and categories."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import counted, labels, listed, mix
from tauten.data.frames import as_frame
from tauten.data.layout import Layout
from tauten.data.preprocess import Preprocessor
from tauten.data.table import Table
from tauten.errors import DataError
from tauten.text.coded import Codes, Texts, bucket, coded, with_alternatives, with_translations
from tauten.text.layout import TextLayout
from tauten.text.reader import MOST, WORDS, Reader

VOCABULARY = 30_000
"""The most words that have an id of their own."""
BUCKETS = 1024
"""Ids that all other words share, by their hash: 1 … 1,024. 0 is padding, and the vocabulary's ids come after."""
LONGEST = 16 * MOST
"""Characters that are kept of what a text was coded from: so many hold all words that are read of it."""
SHARE, STEP = 0.98, 8
"""A network's length holds this share of the texts, rounded up to a multiple."""
Floats32 = npt.NDArray[np.float32]


class Written(NamedTuple):
    """Features of a table with text: its texts, and its other columns."""

    texts: Texts
    frame: pd.DataFrame


@dataclass(frozen=True)
class TextPreprocessor:
    """What one fold's training rows taught: the words that have an id, and what there is to know of other columns.

    `columns` names those of text, `words` are by frequency; the i-th has the id 1 + 1,024 + i. Where `reader` has a
    vocabulary of its own, `words` are that, and nothing is learnt; the reader is not stored, as a model's file names no
    code that would be run, and is None until it is given again.
    """

    columns: tuple[str, ...]
    layout: TextLayout
    words: tuple[str, ...]
    others: Preprocessor
    reader: Reader | None = field(default=WORDS, compare=False)

    @classmethod
    def fit(cls, columns: Sequence[str], written: Written, layout: TextLayout, others: Layout) -> "TextPreprocessor":
        """Learn from the training rows alone, and what their words may be replaced by."""
        reader = written.texts.reader
        words = reader.vocabulary or _frequent(written.texts, layout.ids - 1 - BUCKETS)
        return cls(tuple(columns), layout, words, Preprocessor.fit(written.frame, others), reader)

    def transform(self, X: Any) -> Floats32:
        """Planes (n, P, L) float32 as the layout says; of a DataFrame without planes of alternatives.

        Raises DataError where a column of training is missing.
        """
        written = X if isinstance(X, Written) else self._read(as_frame(X))
        ids = self._ids(written.texts.words)
        planes = [_plane(ids, written.texts.codes, self.layout.length)[:, None]]
        if isinstance(X, Written):
            planes += _alternatives(ids, written.texts, self.layout)
        rows = len(written.frame)
        numbers = np.zeros((rows, self.layout.trailing, self.layout.length), np.float32)
        if self.layout.features:
            flat = numbers.reshape(rows, -1)
            flat[:, : self.layout.features] = self.others.transform(written.frame)
        return np.concatenate([*planes, numbers], axis=1, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        own = {"text": list(self.columns), "layout": asdict(self.layout), "vocabulary": list(self.words)}
        return {**own, "pieces": self.reader is not WORDS, "others": self.others.to_json()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "TextPreprocessor":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            layout, others = TextLayout(**stored["layout"]), Preprocessor.from_json(stored["others"])
            reader = None if stored.get("pieces") else WORDS
            return cls(tuple(stored["text"]), layout, tuple(stored["vocabulary"]), others, reader)
        except (KeyError, TypeError) as error:
            raise DataError(
                f"the stored preprocessing can't be read ({error!r}): expected what TextPreprocessor.to_json wrote, "
                "so fit anew"
            ) from error

    def ids(self, words: Sequence[str]) -> list[int]:
        """The id of each word."""
        return [self._numbers.get(word) or 1 + bucket(word, BUCKETS) for word in words]

    def word(self, number: int) -> str | None:
        """The word of an id; None of one that words share."""
        return self.words[number - 1 - BUCKETS] if number > BUCKETS else None

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: 1 + BUCKETS + i for i, word in enumerate(self.words)}

    def _ids(self, words: Sequence[str]) -> Floats32:
        """The id of each word, and 0 for the last place, which −1 means."""
        return np.array([*self.ids(words), 0], dtype=np.float32)

    def _read(self, frame: pd.DataFrame) -> Written:
        absent = [name for name in self.columns if name not in frame]
        if absent:
            raise DataError(
                f"the data lacks {listed(absent)}, of the columns of text that training saw: add them, empty where "
                "unknown"
            )
        assert self.reader is not None, "Model.load asks for it"
        return Written(coded(columns_of(frame, self.columns), self.reader), frame)


@dataclass(frozen=True, eq=False)
class TextTable(Table):
    """A table with columns of text beside those of its frame, which may have none: `texts` row by row.

    `text` names the columns of text, whose texts are joined. `written` (n, columns) are these as they were written,
    each as far as its words may be read.
    """

    text: tuple[str, ...] = ()
    texts: Texts = field(default_factory=lambda: coded([]))
    written: npt.NDArray[np.object_] = field(default_factory=lambda: np.empty((0, 0), dtype=object))

    @property
    def features(self) -> Written:
        """As of every table."""
        return Written(self.texts, self.frame)

    @property
    def columns(self) -> int:
        """As of every table; a text counts as one."""
        return int(self.frame.shape[1]) + len(self.text)

    @property
    def data(self) -> str:
        """As of every table."""
        return "text"

    def width(self, layout: Layout) -> int:
        """As of every table."""
        own = self.text_layout(layout)
        return own.planes * own.length

    def text_layout(self, layout: Layout) -> TextLayout:
        """As of every table."""
        return replace(self._planes, features=layout.width)

    @cached_property
    def _planes(self) -> TextLayout:
        texts = self.texts
        length = -(-max(int(np.quantile(texts.lengths, SHARE, method="higher")), 1) // STEP) * STEP
        words = len(texts.reader.vocabulary) or min(int((texts.counts() > 0).sum()), VOCABULARY)
        return TextLayout(
            length=min(length, texts.reader.most),
            ids=1 + BUCKETS + words,
            synonyms=0 if texts.synonyms is None else texts.synonyms.shape[1],
            typos=0 if texts.typos is None else texts.typos.shape[1],
            translations=0 if texts.translations is None else texts.translations.shape[1],
        )

    def learnt(self, rows: npt.NDArray[np.int64], layout: Layout) -> TextPreprocessor:
        """As of every table."""
        own = Written(self.texts.take(rows), self.frame.iloc[rows])
        return TextPreprocessor.fit(self.text, own, self.text_layout(layout), layout)

    def read_by(self, reader: Reader) -> "TextTable":
        """With the texts as this reader's tokens; what rows are alike, and so the holdout, is told by words still."""
        parts = [[str(text) for text in own] for own in self.written.T]
        read = replace(self, texts=replace(coded(parts, reader), marks=self.texts.hashes()))
        told = [said for said in self.warnings if said not in self.cuts]
        return replace(read, warnings=(*told, *read.cuts))

    @property
    def cuts(self) -> tuple[str, ...]:
        """What is to be said of texts that are longer than a network reads them; nothing where none is."""
        length = self._planes.length
        cut = int((self.texts.cut | (self.texts.lengths > length)).sum())
        read = "pieces of words" if self.texts.reader.vocabulary else "words"
        rows = counted(len(self.texts), "row")
        return (f"{cut:,} of {rows} have a text of more than {length} {read}: cut there",) if cut else ()

    def with_alternatives(self, name: str, find: Callable[[str], Sequence[str]], most: int) -> "TextTable":
        """With what `find` says may stand in a word's place; see `tauten.text.coded.with_alternatives`."""
        codes = self.texts.codes
        words = [self.texts.words[code] for code in np.unique(codes[codes >= 0])]
        found = {word: find(word) for word in words}
        return replace(self, texts=with_alternatives(self.texts, name, found, most))

    def content_hash(self) -> str:
        """As of every table."""
        digest = hashlib.sha256(f"{super().content_hash()} {self.text}".encode())
        digest.update(self.texts.hashes().astype("<u8").tobytes())
        return digest.hexdigest()

    def row_hashes(self) -> npt.NDArray[np.uint64]:
        """As of every table; texts are alike where their tokens are."""
        return mix(super().row_hashes() + mix(self.texts.hashes()))

    def take(self, rows: npt.ArrayLike) -> "TextTable":
        """As of every table."""
        table = super().take(rows)
        assert isinstance(table, TextTable)
        return replace(table, texts=self.texts.take(rows), written=self.written[np.asarray(rows)])

    def translated(self, versions: Sequence[Sequence[Sequence[str]]]) -> "TextTable":
        """With other texts of the same meaning, in the place of those it had; see `with_translations`."""
        return replace(self, texts=with_translations(self.texts, versions))


def with_texts(table: Table, columns: Mapping[str, "pd.Series[Any]"]) -> TextTable:
    """The table with columns of text beside its own; DataError where no row of them holds a word.

    What is missing is an empty text. Empty texts, and texts that are cut, are told in its warnings.
    """
    frame = pd.DataFrame(dict(columns))
    parts = columns_of(frame, list(columns))
    texts, written = coded(parts), np.empty((len(frame), len(parts)), dtype=object)
    for i, part in enumerate(parts):
        written[:, i] = [text[:LONGEST] for text in part]
    own = {name: getattr(table, name) for name in table.__dataclass_fields__}
    found = TextTable(**own, text=tuple(columns), texts=texts, written=written)
    full = texts.lengths - (len(columns) - 1)
    if not (full > 0).any():
        raise DataError(f"{table.name}: no row of {listed(list(columns))} holds a word: expected text in most rows")
    empty = int((full <= 0).sum())
    said = [f"{empty:,} of {counted(len(texts), 'row')} have an empty text"] if empty else []
    return replace(found, warnings=(*table.warnings, *said, *found.cuts))


def columns_of(frame: pd.DataFrame, names: Sequence[str]) -> list[list[str]]:
    """Columns of text as lists of `str`, empty where missing."""
    return [[text or "" for text in labels(frame[name])] for name in names]


def _frequent(texts: Texts, most: int) -> tuple[str, ...]:
    """The words that occur, the most frequent first."""
    counts = texts.counts()
    order = np.lexsort((np.arange(len(counts)), -counts))[:most]
    return tuple(texts.words[i] for i in order[counts[order] > 0])


def _plane(ids: Floats32, codes: Codes, length: int) -> Floats32:
    """Codes (…, longest) as ids (…, L), cut or filled up with 0."""
    out = np.zeros((*codes.shape[:-1], length), np.float32)
    size = min(length, codes.shape[-1])
    out[..., :size] = ids[codes[..., :size]]
    return out


def _alternatives(ids: Floats32, texts: Texts, layout: TextLayout) -> list[Floats32]:
    planes = []
    for table in (texts.synonyms, texts.typos):
        if table is not None:
            # Of no word, −1, there are none.
            each = np.concatenate([table, np.full((1, table.shape[1]), -1, table.dtype)])
            planes += [_plane(ids, own[texts.codes], layout.length)[:, None] for own in each.T]
    if texts.translations is not None:
        planes.append(_plane(ids, texts.translations, layout.length))
    return planes
