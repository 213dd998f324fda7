"""Texts as numbers of words: read once, so that every fold makes its own vocabulary of them by looking up."""

import hashlib
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tauten.text.reader import WORDS, Reader
from tauten.text.words import tokens

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Texts:
    """`words` are all tokens there are; `codes` (n, longest) their numbers row by row, −1 after a text's end.

    `synonyms` (words, S) and `typos` (words, T) are the numbers of each word's alternatives, −1 where there are fewer;
    `translations` (n, B, longest) other texts of the same meaning. `cut` (n,) tells which texts went on. `reader` made
    the tokens; where these are pieces, `marks` (n,) are the hashes of the texts' words.
    """

    words: tuple[str, ...]
    codes: Codes
    cut: npt.NDArray[np.bool_]
    synonyms: Codes | None = None
    typos: Codes | None = None
    translations: Codes | None = None
    reader: Reader = WORDS
    marks: npt.NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text (n,)."""
        return np.asarray((self.codes >= 0).sum(1), dtype=np.int64)

    def take(self, rows: npt.ArrayLike) -> "Texts":
        """The texts of these rows, with the same words."""
        chosen = np.asarray(rows)
        own = None if self.translations is None else self.translations[chosen]
        marks = None if self.marks is None else self.marks[chosen]
        return replace(self, codes=self.codes[chosen], cut=self.cut[chosen], translations=own, marks=marks)

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each word occurs (words,), its synonyms and translations counted as if they stood there.

        Not its misspelt forms: those are no words, and each would have an id that no other text ever uses.
        """
        size = len(self.words)
        own = np.bincount(self.codes[self.codes >= 0], minlength=size)
        total = own.copy()
        if self.synonyms is not None:
            there, each = self.synonyms >= 0, np.broadcast_to(own[:, None], self.synonyms.shape)
            total += np.bincount(self.synonyms[there], each[there], size).astype(int)
        if self.translations is not None:
            total += np.bincount(self.translations[self.translations >= 0], minlength=size)
        return np.asarray(total, dtype=np.int64)

    def hashes(self) -> npt.NDArray[np.uint64]:
        """A hash (n,) of each text's words, the same in every process."""
        if self.marks is not None:
            return self.marks
        rows = ("\n".join([self.words[code] for code in row if code >= 0]) for row in self.codes)
        own = (hashlib.blake2b(row.encode("utf-8", "surrogatepass"), digest_size=8).digest() for row in rows)
        return np.array([int.from_bytes(digest, "little") for digest in own], dtype=np.uint64)


def coded(columns: Sequence[Sequence[str]], reader: Reader = WORDS) -> Texts:
    r"""Texts of one column or several, whose texts are joined row by row with a mark of their own between them.

    >>> texts = coded([["a b a", "b"], ["c", ""]])
    >>> texts.words, texts.codes.tolist()
    (('a', 'b', '\x1f', 'c'), [[0, 1, 0, 2, 3], [1, 2, -1, -1, -1]])
    """
    rows = _joined(columns, reader)
    known: dict[str, int] = {}
    numbered = [[known.setdefault(word, len(known)) for word in row[: reader.most]] for row in rows]
    cut = np.array([len(row) > reader.most for row in rows], dtype=bool)
    return Texts(tuple(known), padded(numbered), cut, reader=reader)


def padded(rows: Sequence[Sequence[int]]) -> Codes:
    """Rows of numbers (n, longest), −1 behind those that are shorter."""
    out = np.full((len(rows), max(map(len, rows), default=0)), -1, dtype=np.int32)
    for own, row in zip(out, rows, strict=True):
        own[: len(row)] = row
    return out


def with_alternatives(texts: Texts, name: str, alternatives: Mapping[str, Sequence[str]], most: int) -> Texts:
    """The texts with `name` ("synonyms" or "typos") of their words, at most so many of each, the first ones.

    An alternative of one token only; it becomes one of the words, with alternatives of its own where it has any.

    >>> with_alternatives(coded([["a good day"]]), "synonyms", {"good": ("fine", "nice")}, 2).synonyms.tolist()
    [[-1, -1], [3, 4], [-1, -1], [-1, -1], [-1, -1]]
    """
    known = {word: code for code, word in enumerate(texts.words)}
    first = {w: [a for a in alternatives.get(w, ()) if tokens(a) == [a] and a != w][:most] for w in texts.words}
    for word in itertools.chain.from_iterable(first.values()):
        known.setdefault(word, len(known))
    table = np.full((len(known), most), -1, dtype=np.int32)
    for word, own in first.items():
        table[known[word], : len(own)] = [known[a] for a in own]
    return _with(texts, tuple(known), **{name: table})


def with_translations(texts: Texts, versions: Sequence[Sequence[Sequence[str]]]) -> Texts:
    """The texts with other texts of the same meaning: B versions of the columns, each as `coded` takes them.

    A row whose columns hold no word has none in this version.

    >>> with_translations(coded([["a day", "b"]]), [[["one day", ""]]]).translations.tolist()
    [[[3, 1]], [[-1, -1]]]
    """
    known = {word: code for code, word in enumerate(texts.words)}
    reader = texts.reader
    rows = [row if set(row) - {reader.between} else [] for columns in versions for row in _joined(columns, reader)]
    numbered = [[known.setdefault(word, len(known)) for word in row[: reader.most]] for row in rows]
    table = padded(numbered).reshape(len(versions), len(texts), -1).swapaxes(0, 1)
    return _with(texts, tuple(known), translations=table)


def _joined(columns: Sequence[Sequence[str]], reader: Reader) -> list[list[str]]:
    """The tokens of each row, the texts of its columns one behind the other."""
    rows = []
    for parts in zip(*columns, strict=True):
        found = [[*reader.tokens(part, reader.most + 1), reader.between] for part in parts]
        rows.append(list(itertools.chain.from_iterable(found))[:-1])
    return rows


def bucket(word: str, buckets: int) -> int:
    """The number, below `buckets`, that stands for a word without an id of its own; the same in every process."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % buckets


def _with(texts: Texts, words: tuple[str, ...], **further: Codes) -> Texts:
    """The texts with further words, which have no alternatives, and with further tables."""
    tables: dict[str, Any] = {}
    for name, table in (("synonyms", texts.synonyms), ("typos", texts.typos)):
        if table is not None:
            none = np.full((len(words) - len(table), table.shape[1]), -1, np.int32)
            tables[name] = np.concatenate([table, none])
    return replace(texts, words=words, **{**tables, **further})
