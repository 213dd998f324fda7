"""There and back again: every text by way of other languages, with what went wrong counted."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tauten.errors import DataError, OptionError
from tauten.text.translation.cache import Cache, key
from tauten.text.translation.pieces import Piece, pieces
from tauten.text.translation.translator import Translator, translated

Progress = Callable[[str, int, int], None]
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class BackTranslations:
    """All texts by way of one language.

    texts: one for each text given. unchanged: texts with words that came back as they were, case and white space aside.
    foreign: texts in which words of the language `via` are left over, and foreign_words their number: words that came
    back as they stood in the translation, and that no text given holds. So it counts too many rather than too few:
    *terrible* is such a word for English by way of Spanish, though it is both.
    """

    via: str
    texts: tuple[str, ...]
    unchanged: int
    foreign: int
    foreign_words: int


@dataclass(frozen=True)
class Translated:
    """Back-translations of texts, one set for each language; sentences: how many were translated, not found.

    seconds: for all of it. `str` tells the counts as a person reads them.
    """

    by: tuple[BackTranslations, ...]
    sentences: int
    seconds: float

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """(rows, languages): the back-translations of each text."""
        return tuple(zip(*(b.texts for b in self.by), strict=True))

    def __str__(self) -> str:
        counts = "; ".join(
            f"by {b.via} {b.unchanged:,} of {len(b.texts):,} texts unchanged, "
            f"{b.foreign:,} with foreign words left over"
            for b in self.by
        )
        return f"{counts} ({self.sentences:,} sentences translated in {self.seconds:.1f} s)"


def back_translations(
    texts: Sequence[str],
    translator: Translator,
    via: Sequence[str] = ("spa",),
    *,
    source: str = "eng",
    batch: int = 500,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Translated:
    """Translate texts into each language of `via` and back, once for every sentence, however often it occurs.

    What holds no letter comes back as it is; lines stay lines. `batch` sentences at a time are translated and, where
    `cache` names a folder, kept there, so a run that was cut off goes on where it was. `progress` is called with the
    step ("eng to spa"), sentences done and sentences in all.

    >>> from tauten.text.translation import FunctionTranslator
    >>> words = {("eng", "x"): {"film": "pellicule"}, ("x", "eng"): {"pellicule": "movie"}}
    >>> def by_word(sentences, source, target):
    ...     return [" ".join(words[source, target].get(w, w) for w in s.split()) for s in sentences]
    >>> done = back_translations(["a film", "42", ""], FunctionTranslator(by_word, name="by word"), via=("x",))
    >>> done.texts
    (('a movie',), ('42',), ('',))
    >>> print(str(done).split(" (")[0])
    by x 0 of 3 texts unchanged, 0 with foreign words left over

    Raises:
        DataError: a text is no str.
        OptionError: `via` or `batch` can't be used, or the translator does not translate.
        RunError: the cache's folder can't be read or written.
    """
    began = time.perf_counter()
    _check(texts, via, source, batch)
    read = [pieces(text) for text in texts]
    sentences = list(dict.fromkeys(p.sentence for text in read for p in text if p.translatable))
    steps = _Steps(translator, Cache(cache), batch, progress or (lambda step, done, total: None))
    for language in via:
        # A second language that is not to be had is told before hours are spent on the first.
        if steps.missing(sentences, source, language):
            translator.translate([], source, language)
            translator.translate([], language, source)
    known = {word for sentence in sentences for word in _words(sentence)}
    by = tuple(_by(language, source, read, sentences, known, steps) for language in via)
    return Translated(by, steps.translated, time.perf_counter() - began)


class _Steps:
    """Steps from language to language, with their cache."""

    def __init__(self, translator: Translator, cache: Cache, batch: int, progress: Progress) -> None:
        self.translated = 0
        self._translator, self._cache, self._batch, self._progress = translator, cache, batch, progress

    def missing(self, sentences: Sequence[str], source: str, target: str) -> dict[str, str]:
        """The keys of sentences that were not translated yet, each sentence once."""
        keys = {sentence: key(self._translator.name, source, target, sentence) for sentence in sentences}
        return {sentence: k for sentence, k in keys.items() if k not in self._cache.known}

    def step(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        missing = list(self.missing(sentences, source, target).items())
        for start in range(0, len(missing), self._batch):
            self._progress(f"{source} to {target}", start, len(missing))
            rows = missing[start : start + self._batch]
            given = translated(self._translator, [sentence for sentence, _ in rows], source, target)
            self._cache.add({k: text for (_, k), text in zip(rows, given, strict=True)})
            self.translated += len(rows)
        self._progress(f"{source} to {target}", len(missing), len(missing))
        return [self._cache.known[key(self._translator.name, source, target, s)] for s in sentences]


def _by(
    language: str, source: str, read: list[list[Piece]], sentences: list[str], known: set[str], steps: _Steps
) -> BackTranslations:
    there = steps.step(sentences, source, language)
    back = dict(zip(sentences, steps.step(there, language, source), strict=True))
    left = {
        sentence: sum(word in set(_words(middle)) - known for word in _words(back[sentence]))
        for sentence, middle in zip(sentences, there, strict=True)
    }
    texts, unchanged, foreign = [], 0, []
    for text in read:
        said = [p for p in text if p.translatable]
        texts.append("".join(p.said(back) for p in text))
        unchanged += bool(said) and all(back[p.sentence].casefold() == p.sentence.casefold() for p in said)
        foreign.append(sum(left[p.sentence] for p in said))
    return BackTranslations(language, tuple(texts), unchanged, sum(n > 0 for n in foreign), sum(foreign))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _check(texts: Sequence[str], via: Sequence[str], source: str, batch: int) -> None:
    if isinstance(texts, str):
        raise DataError("texts is one str; give a list of texts, one for each row")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {row} is {text!r}; give a str for every row, '' where there is none")
    if isinstance(via, str) or not via or len({source, *via}) != len(via) + 1:
        raise OptionError(f"via is {via!r}; give one or several languages other than {source!r}, each once: ('spa',)")
    if batch < 1:
        raise OptionError(f"batch is {batch!r}; give a number of sentences, at least 1")
