"""What techniques put in the place of words, looked up for a table's words before anything is trained.

Planes come with a table only where a technique asks for them, because every step reads all planes of its rows.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from tauten.data import Table, TextTable
from tauten.data.columns import listed
from tauten.errors import DataError, OptionError
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.technique import Technique, technique
from tauten.text.synonyms import synonyms
from tauten.text.typos import typos

MOST = 3
"""Alternatives of a word, the best ones: WordNet gives more to one word of film reviews in two hundred."""

CURES = {
    "synonyms": "bring back the WordNet or the file of synonyms as it was",
    "pieces": "bring back the folder of the encoder as it was",
}
"""How a run that was begun with what has changed since can be gone on with."""


def for_search(table: Table, options: Options, built_in: bool) -> tuple[Table, tuple[str, ...]]:
    """The table with all that a search's techniques need, and which of them it leaves out for want of synonyms, if any.

    OptionError where one of those was asked for by name, or synonyms of a person's own can't be used.
    """
    if not isinstance(table, TextTable):
        return _without_text(table, options), ()
    named = {*(options.techniques or ()), *(key.partition(".")[0] for key in options.grid)} - {"setting"}
    kinds = [technique(name) for name in named] if named else options.kinds(table.task, built_in, "text")
    table = _misspelt(table, kinds)
    try:
        return _with_synonyms(table, kinds, options.synonyms), ()
    except OptionError as missing:
        if named or options.synonyms:
            raise
        return table, (f"{missing}; the search goes without",)


def for_recipes(table: Table, recipes: Iterable[Recipe], options: Options) -> Table:
    """The table with all that recipes need; OptionError where there are no synonyms for one."""
    if not isinstance(table, TextTable):
        return _without_text(table, options)
    kinds = [type(t) for recipe in recipes for t in recipe.techniques]
    return _with_synonyms(_misspelt(table, kinds), kinds, options.synonyms)


def supplied(table: Table) -> dict[str, str]:
    """A digest of what came with the words of a table of texts from elsewhere: synonyms, typos, an encoder's pieces."""
    if not isinstance(table, TextTable):
        return {}
    texts = table.texts
    planes = {"synonyms": texts.synonyms, "typos": texts.typos, "pieces": texts.codes if _pieces(table) else None}
    words = "\n".join(texts.words).encode("utf-8", "surrogatepass")
    return {
        name: blake2b(words + codes.tobytes(), digest_size=16).hexdigest()
        for name, codes in planes.items()
        if codes is not None
    }


def check_supplied(begun: Mapping[str, str], table: Table) -> None:
    """OptionError where a run was begun with other synonyms, typos or pieces than there are now, or with none."""
    there = supplied(table)
    for name in sorted({*begun, *there}):
        cure = CURES.get(name, "take the version of Tauten that it was begun with")
        if name not in there:
            raise OptionError(f"the run was begun with {name} and none are found; {cure}, or start anew.")
        if name not in begun:
            raise OptionError(
                f"the run was begun without {name} and {table.name} has some now; start anew in another --out."
            )
        if begun[name] != there[name]:
            raise OptionError(f"the run was begun with other {name} than are found; {cure}, or start anew.")


def _without_text(table: Table, options: Options) -> Table:
    if options.synonyms:
        raise OptionError(f"synonyms is {options.synonyms!r} and {table.name} has no text; leave synonyms out.")
    return table


def _pieces(table: TextTable) -> bool:
    """Whether its tokens are an encoder's pieces, which have no alternatives: a word is several of them."""
    return bool(table.texts.reader.vocabulary)


def _misspelt(table: TextTable, kinds: Iterable[type[Technique]]) -> TextTable:
    if table.texts.typos is not None or _pieces(table) or not any("typos" in kind.planes for kind in kinds):
        return table
    return table.with_alternatives("typos", lambda word: typos(word, MOST), MOST)


def _with_synonyms(table: TextTable, kinds: Iterable[type[Technique]], source: str | None) -> TextTable:
    asking = sorted({kind.name for kind in kinds if "synonyms" in kind.planes})
    if table.texts.synonyms is not None or _pieces(table) or not asking:
        return table
    try:
        found = table.with_alternatives("synonyms", synonyms(source).of, MOST)
    except DataError as error:
        raise OptionError(f"no synonyms for {listed(asking)}: {error}") from error
    if found.texts.synonyms is not None and (found.texts.synonyms < 0).all():
        raise OptionError(
            f"no synonyms for {listed(asking)}: no word of {table.name} has one; give a CSV of word,synonym[,synonym…] "
            "of your own by synonyms"
        )
    return found
