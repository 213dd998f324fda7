"""What is new in a text beside another, for a person who looks at both."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby


def marked(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, bool]]:
    """The words after as runs, each with whether it does not stand at this place before.

    >>> marked("a good film".split(), "a fine film".split())
    [('a', False), ('fine', True), ('film', False)]
    """
    new = [True] * len(after)
    for same in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        new[same.b : same.b + same.size] = [False] * same.size
    runs = groupby(zip(after, new, strict=True), key=lambda own: own[1])
    return [(" ".join(word for word, _ in own), there) for there, own in runs]
