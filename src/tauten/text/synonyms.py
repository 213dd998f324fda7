"""What may stand in a word's place without changing what a text says: from WordNet, or from a table of one's own."""

import csv
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tauten.errors import DataError
from tauten.text.inflect import inflected
from tauten.text.wordnet import PARTS, Reading, WordNet

# How much of the uses of a word and its synonym coincides, at least. A verb also decides what stands beside it.
ALIKE = {"n": 0.25, "a": 0.25, "r": 0.25, "v": 0.4}
# The texts whose tags WordNet counts were not tagged with persons' and places' own names.
NAME = 10.0
SHORTEST = 3
INSULTS = frozenset(("disparagement", "ethnic_slur", "obscenity"))
# Words of grammar: WordNet holds none as such, so what it says of "in" is inches and indium.
_GRAMMAR = """
    a about above across after again against ago ah all along already also although always am amid among an and
    another any anybody anyone anything are around as at away be became because become been before behind being
    below beneath beside besides between beyond both but by can cannot cant could despite did do does doing done
    down dont during each either else enough even ever every everybody everyone everything except few for from
    further had has have having he her here hers herself him himself his how however i if in indeed inside into is
    it its itself just less lest let like many may me might mine more most much must my myself near neither never no
    nobody none nor not nothing now of off on once ones only onto or other others otherwise ought our ours ourselves
    out outside over own per perhaps quite rather same shall she should since so some somebody someone something
    somewhere still such than that the their theirs them themselves then there therefore these they this those
    though through throughout thus till to together too toward towards under unless until up upon us very via was we
    were what whatever when whenever where whereas wherever whether which whichever while who whoever whole whom
    whose why will with within without wont would yet you your yours yourself yourselves zero one two three four
    five six seven eight nine ten eleven twelve hundred thousand million billion first second third
"""
GRAMMAR = frozenset(_GRAMMAR.split())


class Synonyms(ABC):
    """A source of synonyms, best first; a word without any has an empty tuple."""

    @abstractmethod
    def of(self, word: str) -> tuple[str, ...]:
        """The words, in lower case, that may stand in the place of `word`."""


class _Uses(NamedTuple):
    """What a word may be a form of, the share of each sense (part, offset) in its uses, and which were tagged."""

    readings: tuple[Reading, ...]
    shares: dict[tuple[str, int], float]
    tagged: frozenset[tuple[str, int]]


class WordNetSynonyms(Synonyms):
    """Single words that WordNet puts into one synset with a word, and that are mostly used for the same.

    A word's uses are the tags that WordNet counts for all of its senses, whatever the part of speech; two words are
    alike by the sum, over the synsets they share, of the smaller of both shares. So *movie* stands for *film* (0.57),
    and *goodness* not for *good* (0.05). The synonym is put into the word's form: "films" gives "movies". Names, words
    of grammar, insults, derivations ("powerfulness") and words that no text was tagged with are left out, save other
    spellings ("humour"). `folder` as in `WordNet`.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._wordnet = WordNet(folder)
        self._uses = lru_cache(maxsize=None)(self._counted)

    def of(self, word: str) -> tuple[str, ...]:
        """Best first. Words that are shorter than three letters, hold anything but letters or are names have none."""
        word = word.lower()
        if not _replaceable(word):
            return ()
        alike: dict[str, float] = {}
        for reading, other in self._shared(word):
            overlap = self._overlap(word, other, reading)
            form = self._form(other, reading) if overlap >= ALIKE[reading.part] else None
            if form:
                alike[form] = max(overlap, alike.get(form, 0.0))
        return tuple(sorted(alike.keys() - {word}, key=lambda form: (-alike[form], form)))

    def _shared(self, word: str) -> Iterator[tuple[Reading, str]]:
        """The words that share a synset with a reading of this one."""
        readings = self._uses(word).readings
        listed = any(not reading.ending for reading in readings)
        for reading in readings:
            # "compelling" has an entry of its own, and means something else than the verb does.
            if listed and reading.ending == "ing":
                continue
            senses = self._wordnet.senses(reading.lemma, reading.part)
            for other in dict.fromkeys(found for sense in senses for found in self._wordnet.words(sense)):
                if other != word and _replaceable(other) and not self._derived(other, reading.lemma):
                    yield reading, other

    def _derived(self, other: str, lemma: str) -> bool:
        """Whether a word is another's form, as "older" is, or the name of what it says, as "powerfulness" is."""
        named = other.startswith(lemma) and other.endswith("ness")
        return named or any(reading.lemma == lemma for reading in self._uses(other).readings)

    def _overlap(self, word: str, other: str, reading: Reading) -> float:
        ours, theirs = self._uses(word), self._uses(other)
        senses = self._wordnet.senses(reading.lemma, reading.part)
        shared = sorted({sense[:2] for sense in senses} & theirs.shares.keys())
        # Another spelling is seldom tagged; it means nothing that the word itself doesn't.
        if len(theirs.shares) > 1 and theirs.shares.keys() <= ours.shares.keys():
            return sum(ours.shares[sense] for sense in shared)
        if theirs.tagged.isdisjoint(shared):
            return 0.0
        return sum(min(ours.shares[sense], theirs.shares[sense]) for sense in shared)

    def _form(self, other: str, reading: Reading) -> str | None:
        senses = (sense for part in PARTS for sense in self._wordnet.senses(other, part))
        if any(INSULTS & self._wordnet.usages(sense, other) for sense in senses):
            return None
        return inflected(other, reading.part, reading.ending, self._wordnet)

    def _counted(self, word: str) -> _Uses:
        readings = self._wordnet.readings(word)
        if self._number(readings):
            return _Uses((), {}, frozenset())
        counts: dict[tuple[str, int], float] = defaultdict(float)
        tagged = set()
        for lemma, part, _ in readings:
            for sense in self._wordnet.senses(lemma, part):
                named = any(w.lower() == lemma and w not in (lemma, lemma.upper()) for w in self._wordnet.words(sense))
                counts[sense[:2]] += max(sense.tags, NAME) if named else sense.tags
                if sense.tags:
                    tagged.add(sense[:2])
        # One more tag, spread over all senses, for what was never tagged.
        total = sum(counts.values()) + 1
        shares = {place: (count + 1 / len(counts)) / total for place, count in counts.items()}
        return _Uses(readings, shares, frozenset(tagged))

    def _number(self, readings: tuple[Reading, ...]) -> bool:
        """Whether WordNet also writes the word in digits, as it does "thirty" and "xxx"."""
        senses = (sense for lemma, part, _ in readings for sense in self._wordnet.senses(lemma, part))
        return any(word.isdigit() for sense in senses for word in self._wordnet.words(sense))


class TableSynonyms(Synonyms):
    """Synonyms from a CSV: each line a word, then those that may replace it, in order of preference.

    A first line word,synonym is taken for a header. Nothing is added, not even the way back. Raises DataError for a
    file that isn't there, isn't UTF-8, or has a line without a synonym, a cell of two words, or a word as its own
    synonym.
    """

    def __init__(self, path: str | Path) -> None:
        self._table: dict[str, tuple[str, ...]] = {}
        for number, row in _rows(Path(path)):
            word, *others = [cell.strip().lower() for cell in row]
            others = [other for other in others if other]
            if number == 1 and word == "word" and others and all(other.startswith("synonym") for other in others):
                continue
            where = f"line {number} of {path}"
            if not word or not others:
                raise DataError(
                    f"{where} is {','.join(row)!r}: expected a word and its synonyms separated by commas, so mend it"
                )
            spaced = next((cell for cell in (word, *others) if len(cell.split()) > 1), None)
            if spaced:
                raise DataError(f"{where} holds {spaced!r}: expected single words, so write one word or leave it out")
            if word in others:
                raise DataError(f"{where} gives {word!r} as its own synonym: expected other words, so take it out")
            self._table[word] = tuple(dict.fromkeys((*self._table.get(word, ()), *others)))
        if not self._table:
            raise DataError(f"{path} holds no synonyms: expected lines such as film,movie,picture")

    def of(self, word: str) -> tuple[str, ...]:
        """As the table says."""
        return self._table.get(word.lower(), ())


def synonyms(source: str | Path | None = None) -> Synonyms:
    """From a file: one's own table; from a folder: the WordNet that it holds; from None: the WordNet installed here.

    Raises DataError where the source is neither or there is no WordNet.
    """
    if source is not None and not Path(source).exists():
        raise DataError(f"no {str(source)!r}: expected a CSV of word,synonym[,synonym…] or WordNet's folder")
    return TableSynonyms(source) if source is not None and Path(source).is_file() else WordNetSynonyms(source)


def _replaceable(word: str) -> bool:
    return len(word) >= SHORTEST and word.isalpha() and word.islower() and word not in GRAMMAR


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path} can't be read ({error.strerror}): expected a CSV of word,synonym[,synonym…]"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start + 1}): save it in UTF-8") from error
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path} is not a regular CSV (line {reader.line_num}: {error}): mend that line") from error
