"""How a text becomes tokens: words, or the pieces of words that a network of one's own was trained on."""

from collections.abc import Callable
from dataclasses import dataclass

from tauten.text.words import BREAK, tokens

MOST = 256
"""Tokens that are read of a text; what comes after is cut."""


@dataclass(frozen=True)
class Reader:
    """`tokens(text, most)` gives a text's tokens in their order, at most so many; `most` are read of a row.

    `between` stands between the texts of several columns. Where tokens are pieces, `vocabulary` holds all that there
    are, in the order of their numbers; of words it is empty, since every fold learns its own.
    """

    tokens: Callable[[str, int], list[str]] = tokens
    most: int = MOST
    between: str = BREAK
    vocabulary: tuple[str, ...] = ()


WORDS = Reader()
"""Words as `tokens` finds them."""
