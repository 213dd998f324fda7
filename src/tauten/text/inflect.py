"""English inflections, so that a synonym stands in the same form as the word whose place it takes."""

from tauten.text.wordnet import WordNet

# Verbs of which a past form is the verb itself: the exception lists hold the other form, or none.
_UNCHANGED = """
    beat become bet bid burst cast come cost forecast hurt miscast overcome overrun put quit read rid run shed spread
    thrust wed
"""
_HISSES = ("s", "x", "z", "ch", "sh")


def inflected(lemma: str, part: str, ending: str, wordnet: WordNet) -> str | None:
    """The lemma's form with this inflection of `Reading`, or None where spelling alone doesn't decide it.

    Irregular forms come from WordNet's exception lists, which also hold every doubled letter. None for comparisons,
    for plurals of words that look like one, and where a verb's past and participle differ.
    """
    if not ending:
        return lemma
    if ending == "ed" and lemma in _UNCHANGED.split():
        return None
    irregular = wordnet.irregular(lemma, part, ending)
    if irregular:
        return irregular[0] if len(irregular) == 1 else None
    if ending == "s":
        return _with_s(lemma, part)
    if part != "v":
        return None
    if ending == "ing":
        return (lemma[:-1] if lemma.endswith("e") and not lemma.endswith(("ee", "oe", "ye")) else lemma) + "ing"
    # A verb whose letter is doubled in "cutting" but not in a listed past has none of its own.
    doubled = wordnet.irregular(lemma, part, "ing")
    if lemma.endswith("e"):
        return lemma + "d"
    return None if doubled else _changed(lemma) + "ed"


def _with_s(lemma: str, part: str) -> str | None:
    if part == "n" and lemma.endswith("woman"):
        return lemma.removesuffix("man") + "men"
    if part == "n" and (lemma.endswith(("man", "ness")) or (lemma.endswith("s") and not lemma.endswith(("ss", "us")))):
        return None
    stem = _changed(lemma)
    # The exception lists hold "heroes"; a verb takes "es" after a consonant, as in "goes".
    es = (
        stem != lemma
        or lemma.endswith(_HISSES)
        or (part == "v" and lemma.endswith("o") and lemma[-2:-1] not in "aeiou")
    )
    return stem + ("es" if es else "s")


def _changed(lemma: str) -> str:
    """A final y after a consonant becomes i."""
    return lemma[:-1] + "i" if lemma.endswith("y") and lemma[-2:-1] not in "aeiou" else lemma
