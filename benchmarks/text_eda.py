"""EDA as its authors run it: a fixed number of augmented copies of each text, written once ahead of training.

Source: Wei & Zou 2019, EMNLP, arXiv:1901.11196, sections 2 and 3 (table 3 for α and the copies).
"""

import random
from collections.abc import Callable

import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from text_data import TARGET, TEXT

from tauten.text.wordnet import PARTS, WordNet
from tauten.text.words import tokens

Words = list[str]


def fixed(rows: int) -> tuple[float, int]:
    """α and the number of copies that the paper's table advises for so many training texts.

    >>> fixed(500), fixed(2000), fixed(6920)
    ((0.05, 16), (0.05, 8), (0.1, 4))
    """
    return (0.05, 16) if rows <= 500 else (0.05, 8) if rows <= 2000 else (0.1, 4)


def augmented(frame: pd.DataFrame, alpha: float, copies: int, seed: int = 0) -> pd.DataFrame:
    """The texts, and behind them so many copies of each, changed by one operation each, all four equally often."""
    source, r = _Senses(), random.Random(seed)
    operations = (replaced, inserted, swapped, deleted)
    parts = [frame]
    for copy in range(copies):
        change = operations[copy % len(operations)]
        written = [_changed(text, change, alpha, source, r) for text in frame[TEXT]]
        parts.append(pd.DataFrame({TARGET: frame[TARGET].to_numpy(), TEXT: written}))
    return pd.concat(parts, ignore_index=True)


class _Senses:
    """Synonyms as EDA takes them: whatever shares a synset with a word, in any of its senses."""

    def __init__(self) -> None:
        self._wordnet, self._known = WordNet(), dict[str, tuple[str, ...]]()

    def of(self, word: str) -> tuple[str, ...]:
        if word not in self._known:
            senses = [s for reading in self._wordnet.readings(word) for s in self._senses(reading.lemma)]
            found = {other.lower().replace("_", " ") for sense in senses for other in self._wordnet.words(sense)}
            self._known[word] = tuple(sorted(found - {word}))
        return self._known[word]

    def _senses(self, lemma: str) -> list:
        return [sense for part in PARTS for sense in self._wordnet.senses(lemma, part)]


def replaced(words: Words, n: int, alpha: float, source: _Senses, r: random.Random) -> Words:
    """Synonym replacement: n words that are no stop words, each wherever it stands."""
    able = [word for word in dict.fromkeys(words) if word not in ENGLISH_STOP_WORDS and source.of(word)]
    chosen = {word: r.choice(source.of(word)) for word in r.sample(able, min(n, len(able)))}
    return [chosen.get(word, word) for word in words]


def inserted(words: Words, n: int, alpha: float, source: _Senses, r: random.Random) -> Words:
    """Random insertion: n times a synonym of one of the words, at any place."""
    able, out = [word for word in words if source.of(word)], list(words)
    for _ in range(n if able else 0):
        out.insert(r.randrange(len(out) + 1), r.choice(source.of(r.choice(able))))
    return out


def swapped(words: Words, n: int, alpha: float, source: _Senses, r: random.Random) -> Words:
    """Random swap: n times two words change places."""
    out = list(words)
    for _ in range(n if len(out) > 1 else 0):
        first, second = r.sample(range(len(out)), 2)
        out[first], out[second] = out[second], out[first]
    return out


def deleted(words: Words, n: int, alpha: float, source: _Senses, r: random.Random) -> Words:
    """Random deletion: each word with probability α; of a text that would be empty one word stays."""
    return [word for word in words if r.random() >= alpha] or [r.choice(words)]


Operation = Callable[[Words, int, float, _Senses, random.Random], Words]


def _changed(text: str, change: Operation, alpha: float, source: _Senses, r: random.Random) -> str:
    words = tokens(text)
    count = max(1, int(alpha * len(words)))
    return " ".join(change(words, count, alpha, source, r)) if words else text
