"""Which plane of a text's row says what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextLayout:
    """A row of text as a network reads it: planes (P, L), float32, of `length` L positions.

    Plane 0 holds the ids of the row's tokens: 0 is padding, or nothing at this place, and every id is below `ids`. Then
    come planes of alternatives to the token at the same place, 0 where there is none: `synonyms` of them, then `typos`.
    Then `translations`, each the ids of another whole text of the same meaning. The last planes hold the numbers of the
    other columns, `features` of them, filled up with zeros.

    >>> layout = TextLayout(length=16, ids=2000, synonyms=3, features=20)
    >>> layout.aligned, layout.planes
    (4, 6)
    """

    length: int
    ids: int
    synonyms: int = 0
    typos: int = 0
    translations: int = 0
    features: int = 0

    @property
    def aligned(self) -> int:
        """How many planes speak of the same positions: tokens and their alternatives, the first ones."""
        return 1 + self.synonyms + self.typos

    @property
    def trailing(self) -> int:
        """How many planes hold the other columns."""
        return -(-self.features // self.length)

    @property
    def planes(self) -> int:
        """All planes P."""
        return self.aligned + self.translations + self.trailing
