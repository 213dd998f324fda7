"""A text as sentences to translate and what stands between them, and back again."""

import re
from collections.abc import Mapping
from typing import NamedTuple

# Longer pieces are cut: networks read some 500 tokens, and what is past that would be lost without a word.
LONGEST = 500
_LINES = re.compile(r"([\r\n]+)")
# The longest that ends with a sentence, else with a word, else anywhere.
_CUT = re.compile(rf".{{1,{LONGEST}}}(?:(?<=[.!?…])\s+|$)|.{{1,{LONGEST}}}(?:\s+|$)|\S{{1,{LONGEST}}}")
# Corpora in the Penn Treebank's form write "do n't" and "they 've", which no translator knows. "'s" stays apart: joined
# to a name that it does not know, Apertium lets the name stick to the next word.
_TAIL = r"(?:n't|'(?:re|ve|ll|d|m))(?!\w)"
_APART = re.compile(rf"(?<=\w) (?={_TAIL})", re.IGNORECASE)
_TOGETHER = re.compile(rf"(?<=\w)(?={_TAIL})", re.IGNORECASE)


class Piece(NamedTuple):
    """A sentence, or several short ones of a line, with the white space round it."""

    before: str
    sentence: str
    after: str
    apart: bool

    @property
    def translatable(self) -> bool:
        """Numbers, signs and emoji say the same in every language."""
        return any(c.isalpha() for c in self.sentence)

    def said(self, translations: Mapping[str, str]) -> str:
        """The piece with its translation, where there is one, in the form in which the text was written."""
        sentence = translations.get(self.sentence, self.sentence)
        return self.before + (_TOGETHER.sub(" ", sentence) if self.apart else sentence) + self.after


def pieces(text: str) -> list[Piece]:
    r"""A text's pieces, in their order; lines stay lines, and "do n't" becomes "don't" until it is said again.

    >>> [p.sentence for p in pieces("one  line .\n\nthey 're two , 😀")]
    ['one line .', '', "they're two , 😀"]
    """
    found = []
    for line in _LINES.split(text):
        parts = _CUT.findall(line) if len(line) > LONGEST else [line]
        for part in parts:
            bare = part.strip()
            start = part.find(bare)
            sentence, apart = _APART.subn("", " ".join(bare.split()))
            found.append(Piece(part[:start], sentence, part[start + len(bare) :], apart > 0))
    return found
