"""WordNet's own database files, read as its manual pages wndb(5WN), cntlist(5WN) and morphy(7WN) document them.

A part of speech is read when the first word of it is asked for, a line is taken apart when it is needed.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from tauten.errors import DataError

PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
# Debian's package, Homebrew on three kinds of machine, and what WordNet's own installer writes.
PLACES = (
    "/usr/share/wordnet",
    "/opt/homebrew/opt/wordnet/dict",
    "/usr/local/opt/wordnet/dict",
    "/home/linuxbrew/.linuxbrew/opt/wordnet/dict",
    "/usr/local/WordNet-3.0/dict",
)
INSTALL = "run apt-get install wordnet-base (Debian, Ubuntu) or brew install wordnet (Homebrew)"
_TYPES = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}  # in a sense's key; 5 is an adjective's satellite
# morphy(7WN): (part, what a form ends in, what its lemma ends in, the inflection).
_DETACH = (
    *(("n", suffix, lemma, "s") for suffix, lemma in (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"))),
    *(("n", suffix, lemma, "s") for suffix, lemma in (("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"))),
    *(("v", suffix, lemma, "s") for suffix, lemma in (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""))),
    *(("v", ending, lemma, ending) for ending in ("ed", "ing") for lemma in ("e", "")),
    *(("a", suffix, lemma, "er") for suffix in ("er", "est") for lemma in ("", "e")),
)


class Sense(NamedTuple):
    """One meaning of a lemma: where its synset stands, and how often texts were tagged with it for this lemma."""

    part: str
    offset: int
    tags: int


class Reading(NamedTuple):
    """A lemma that a word may be a form of, and the inflection: "", "s", "ed", "ing", or "er" for comparison."""

    lemma: str
    part: str
    ending: str


class WordNet:
    """The lexical database of Miller (1995) and Fellbaum (1998), from a folder that holds index.noun, data.noun and
    the like: as given, else $WNSEARCHDIR, else where Debian, Homebrew and WordNet's installer put it.

    Lemmas are in lower case, with underscores for blanks; parts are "n", "v", "a" and "r". Raises DataError where
    there are no such files, or where a line isn't as documented.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = _found(folder)
        self._indices: dict[str, dict[str, str]] = {}
        self._data: dict[str, bytes] = {}
        self._senses = lru_cache(maxsize=None)(self._entry)
        self._synset = lru_cache(maxsize=None)(self._read)

    def senses(self, lemma: str, part: str) -> tuple[Sense, ...]:
        """The lemma's meanings, most frequent first; none for a lemma that WordNet doesn't hold."""
        return self._senses(lemma, part)

    def _entry(self, lemma: str, part: str) -> tuple[Sense, ...]:
        line = self._index(part).get(lemma)
        if line is None:
            return ()
        try:
            _, held, pointers, *rest = line.split()
            offsets = [int(field) for field in rest[int(pointers) + 2 :]]
            regular = len(offsets) == int(held) > 0 <= min(offsets) and int(pointers) >= 0
        except ValueError:
            regular = False
        if not regular:
            raise self._malformed(f"index.{PARTS[part]}", f"the entry of {lemma!r}")
        counts = (self._counts.get((lemma, part, number), 0) for number in range(1, len(offsets) + 1))
        return tuple(Sense(part, offset, count) for offset, count in zip(offsets, counts, strict=True))

    def words(self, sense: Sense) -> tuple[str, ...]:
        """The words of a synset as its authors wrote them, names with capitals, blanks as underscores."""
        return self._synset(sense.part, sense.offset)[0]

    def usages(self, sense: Sense, lemma: str) -> frozenset[str]:
        """What WordNet says of the word's use in this sense, such as "slang" or "ethnic_slur"; mostly nothing."""
        words, marks = self._synset(sense.part, sense.offset)
        numbers = {0} | {number for number, word in enumerate(words, 1) if word.lower() == lemma}
        return frozenset(word for number, place in marks if number in numbers for word in self._synset("n", place)[0])

    def _read(self, part: str, offset: int) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
        """A synset's words, and its pointers to a domain of usage: (number of the word or 0 for all, where to)."""
        name = f"data.{PARTS[part]}"
        if part not in self._data:
            self._data[part] = self._bytes(name)
        data = self._data[part]
        end = data.find(b"\n", offset)
        try:
            fields = data[offset : end if end >= 0 else None].decode().partition(" | ")[0].split()
            count = int(fields[3], 16)
            # An adjective may carry where it stands, as in "galore(ip)".
            words = tuple(word.partition("(")[0] for word in fields[4 : 4 + 2 * count : 2])
            pointers = fields[5 + 2 * count :][: 4 * int(fields[4 + 2 * count])]
            ours = [i for i in range(0, len(pointers), 4) if pointers[i] == ";u"]
            marks = tuple((int(pointers[i + 3][:2], 16), int(pointers[i + 1])) for i in ours)
            regular = fields[0] == f"{offset:08d}" and len(words) == count > 0
        except (ValueError, IndexError):
            regular = False
        if not regular:
            raise self._malformed(name, f"the line at byte {offset}")
        return words, marks

    def readings(self, word: str) -> tuple[Reading, ...]:
        """Every lemma that a word can be a form of, itself first, then by the exception lists and morphy's rules."""
        return tuple(dict.fromkeys(r for r in self._candidates(word) if r.lemma in self._index(r.part)))

    def irregular(self, lemma: str, part: str, ending: str) -> tuple[str, ...]:
        """The lemma's forms of this inflection that the exception lists hold."""
        return tuple(form for form in self._irregular[part, lemma] if _ending(part, form) == ending)

    def _candidates(self, word: str) -> Iterator[Reading]:
        for part in PARTS:
            yield Reading(word, part, "")
        for part in PARTS:
            for lemma in self._exceptions.get((part, word), ()):
                yield Reading(lemma, part, _ending(part, word))
        for part, suffix, lemma, ending in _DETACH:
            if word.endswith(suffix):
                yield Reading(word.removesuffix(suffix) + lemma, part, ending)

    @cached_property
    def _exceptions(self) -> dict[tuple[str, str], list[str]]:
        found = {}
        for part, name in PARTS.items():
            for number, line in enumerate(self._lines(f"{name}.exc"), 1):
                form, *lemmas = line.split()
                if not lemmas:
                    raise self._malformed(f"{name}.exc", f"line {number}")
                found[part, form] = lemmas
        return found

    @cached_property
    def _irregular(self) -> defaultdict[tuple[str, str], list[str]]:
        forms: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for (part, form), lemmas in self._exceptions.items():
            for lemma in lemmas:
                if form != lemma:
                    forms[part, lemma].append(form)
        return forms

    @cached_property
    def _counts(self) -> dict[tuple[str, str, int], int]:
        counts = {}
        for number, line in enumerate(self._lines("cntlist.rev"), 1):
            try:
                key, sense, count = line.split()
                lemma, _, rest = key.partition("%")
                counts[lemma, _TYPES[rest[:1]], int(sense)] = int(count)
            except (ValueError, KeyError):
                raise self._malformed("cntlist.rev", f"line {number}") from None
        return counts

    def _index(self, part: str) -> dict[str, str]:
        if part not in self._indices:
            entries = (line.partition(" ") for line in self._lines(f"index.{PARTS[part]}") if not line.startswith(" "))
            self._indices[part] = {lemma: rest for lemma, _, rest in entries}
        return self._indices[part]

    def _lines(self, name: str) -> list[str]:
        try:
            text = self._bytes(name).decode()
        except UnicodeDecodeError as error:
            raise self._malformed(name, f"byte {error.start}") from None
        return [line for line in text.split("\n") if line.strip()]

    def _bytes(self, name: str) -> bytes:
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path} can't be read ({error.strerror}): expected WordNet's file, so {INSTALL}"
            ) from error

    def _malformed(self, name: str, where: str) -> DataError:
        return DataError(
            f"{where} in {self.folder / name} isn't as WordNet's manual page wndb(5WN) says: the file is damaged or "
            "another program's, so install WordNet's files anew"
        )


def _found(folder: str | Path | None) -> Path:
    chosen = folder or os.environ.get("WNSEARCHDIR")
    for place in [chosen] if chosen else PLACES:
        if (Path(place) / "index.noun").is_file():
            return Path(place)
    if chosen:
        raise DataError(
            f"{str(chosen)!r} holds no WordNet: expected a folder with index.noun and its like, or {INSTALL}"
        )
    raise DataError(
        f"no WordNet in {', '.join(PLACES)}: {INSTALL}, or name the folder that holds index.noun, or a CSV of "
        "your own, by synonyms"
    )


def _ending(part: str, form: str) -> str:
    """The inflection of an irregular form, as far as a form tells."""
    if part == "v":
        return next((ending for ending in ("ing", "s") if form.endswith(ending)), "ed")
    return "s" if part == "n" else "er"
