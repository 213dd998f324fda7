"""Slips of the typing hand: what a word looks like with one of them in it."""

from tauten.draws import derive_seed

SHORTEST = 4
LONGEST = 40
"""Letters of the longest word that has variants: a key of 100,000 letters, which is no word, has too many to list."""
_ROWS = "qwertyuiop", "asdfghjkl", "zxcvbnm"


def _neighbours() -> dict[str, str]:
    """Each key's neighbours on an English keyboard; a row lies about half a key to the right of the row above it."""
    at = {key: (row, column) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}
    steps = (0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0)
    return {
        key: "".join(_ROWS[row + down][column + right] for down, right in steps if _held(row + down, column + right))
        for key, (row, column) in at.items()
    }


def _held(row: int, column: int) -> bool:
    return 0 <= row < len(_ROWS) and 0 <= column < len(_ROWS[row])


_KEYS = _neighbours()


def typos(word: str, count: int, seed: int = 0) -> tuple[str, ...]:
    """Up to `count` different variants of a word, each with one slip: two letters swapped, one left out, one put in
    (twice the same, or a neighbour on the keyboard as well), or one hit beside.

    The kinds are those to which Damerau (1964, "A technique for computer detection and correction of spelling errors")
    traces four misspellings in five; first and last letters stay, as in Pruthi, Dhingra & Lipton (2019, "Combating
    adversarial misspellings with robust word recognition"). Which slips is a pure function of (seed, word, number of
    the variant). A word of fewer than four letters or more than forty, or with anything in it but letters,
    apostrophes and hyphens, has none; keyboard neighbours are known for a to z.

    >>> typos("wonderful", 3) == typos("wonderful", 5)[:3]
    True
    >>> typos("bad", 3), typos("2001", 3)
    ((), ())
    """
    letters = sum(map(str.isalpha, word))
    if not SHORTEST <= letters <= LONGEST or letters + sum(map(word.count, "'-")) < len(word):
        return ()
    kinds = [sorted(kind - {word}) for kind in _slips(word)]
    found: list[str] = []
    while len(found) < count and any(kinds):
        kinds = [kind for kind in kinds if kind]
        # One draw a variant: its last digits choose the kind, the others which of them.
        which, kind = divmod(derive_seed("typos", seed, word, len(found)), len(kinds))
        found.append(kinds[kind][which % len(kinds[kind])])
        kinds = [[slip for slip in kind if slip != found[-1]] for kind in kinds]
    return tuple(found)


def _slips(word: str) -> tuple[set[str], set[str], set[str], set[str]]:
    """All words that are one swap, one deletion, one insertion or one wrong key away, inside the word."""
    inner = [i for i in range(1, len(word) - 1) if word[i].isalpha()]
    swaps = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in inner if i + 1 in inner}
    deletions = {word[:i] + word[i + 1 :] for i in inner}
    insertions = {word[:i] + key + word[i:] for i in inner for key in word[i] + _KEYS.get(word[i], "")}
    replaced = {word[:i] + key + word[i + 1 :] for i in inner for key in _KEYS.get(word[i], "")}
    return swaps, deletions, insertions, replaced
