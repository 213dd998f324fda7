"""Tokens: what a text consists of, for any network that reads words."""

import itertools
import re
import unicodedata

BREAK = "\x1f"
"""Stands between the texts of several columns; `tokens` never gives it back."""

# Vowel signs and accents of their own are no letters for Python's \w, yet they don't end a word.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06ed\u0900-\u0dff\u0e00-\u0fff"
)
# Written without spaces: every sign is a word.
_SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"[\w{_MARKS}]"
_PICTURE = "[\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff]"
_TONE = "[\ufe0f\u20e3\U0001f3fb-\U0001f3ff]*"
_TOKEN = re.compile(
    rf"""
    [\U0001f1e6-\U0001f1ff]{{2}}                      # a flag is two letters
    | {_PICTURE}{_TONE}(?:\u200d{_PICTURE}{_TONE})*   # an emoji, with its skin and what it is joined to
    | [{_SIGNS}]
    | \d+(?:[.,:]\d+)*(?![\w{_MARKS}])                # a number, a time
    | (?:(?<=\s)|^)'(?:s|re|ve|ll|d|m)\b              # set apart already, as in "it 's"
    | {_LETTER}+(?:['\-]{_LETTER}+)*
    | \S
    """,
    re.VERBOSE,
)


def tokens(text: str, most: int | None = None) -> list[str]:
    """The tokens of a text in their order, lower-case, at most `most`: words, numbers, punctuation marks and emoji.

    A word keeps the apostrophes and hyphens inside it; Chinese and Japanese signs are tokens of their own. Characters
    are composed (NFC), so that a letter and its accent are one however they were typed.

    >>> tokens("It isn't 3.50€, Anne-Marie!! 👍🏽")
    ['it', "isn't", '3.50', '€', ',', 'anne-marie', '!', '!', '👍🏽']
    """
    plain = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    return [match.group() for match in itertools.islice(_TOKEN.finditer(plain), most)]
