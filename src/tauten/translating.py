"""Texts translated there and back once, ahead of training, for the techniques that put translations in their place.

Only development rows are translated: nothing that a search looks at comes from the holdout. A row's translations stay
with the row, so a fold's vocabulary knows those of its training rows alone.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tauten.data import Table, TextTable
from tauten.errors import OptionError, RunError
from tauten.options import Options
from tauten.searching import Note, Phase, Prepared, Translating, Watcher, prepare, sides
from tauten.text.translation import Apertium, FunctionTranslator, Translated, Translator, back_translations
from tauten.unrecorded import Recorder

Given = Translator | Callable[[list[str], str, str], Sequence[str]]
"""Who translates: a `Translator`, or a function of (sentences, source, target) that returns as many."""
SOURCE = "eng"
"""The language of all texts."""


def translator_of(given: Given | None) -> Translator:
    """The translator that a person gives, Apertium where they give none; OptionError for what can't translate.

    >>> translator_of(None).name, translator_of(lambda sentences, source, target: sentences).name
    ('apertium', '<lambda>')
    """
    if given is None:
        return Apertium()
    if isinstance(getattr(given, "name", None), str) and callable(getattr(given, "translate", None)):
        own: Any = given
        found: Translator = own
        return found
    if callable(given):
        return FunctionTranslator(given, getattr(given, "__name__", type(given).__name__))
    raise OptionError(
        f"translator is {given!r}; give a tauten.text.translation.Translator, or a function of (sentences, source, "
        "target)."
    )


def translator_again(given: Given | None, name: str | None) -> Translator:
    """The translator of a run that is gone on with, where it was one of a person's own called `name`.

    Where none is given, what was translated can still be read. RunError for another one.
    """
    if name is None or given is None:
        return translator_of(given) if name is None else _Absent(name)
    found = translator_of(given)
    if found.name != name:
        raise RunError(f"the run was begun with the translator {name!r} and {found.name!r} is given; give the same.")
    return found


@dataclasses.dataclass(frozen=True)
class _Absent:
    """Stands for a translator whose translations are all kept."""

    name: str

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        raise RunError(f"texts were being translated by {self.name} of your own; pass it as translator= again.")


def check_translator(translator: Translator, options: Options) -> None:
    """OptionError where it can't translate what the options ask for; nothing is translated."""
    asked = options.back_translate
    if len({SOURCE, *asked}) != len(asked) + 1:
        raise OptionError(
            f"back_translate is {','.join(asked)!r}; give languages other than {SOURCE}, each once, such as spa,epo."
        )
    for language in asked:
        translator.translate([], SOURCE, language)
        translator.translate([], language, SOURCE)


def translated(
    prepared: Prepared, translator: Translator, journal: Recorder, folder: str | Path | None, watch: Watcher
) -> Prepared:
    """The search set up again with its development rows' texts translated, where that was asked for.

    Translations are kept in `folder`, and found there again. RunError where a resumed run would have other ones.
    """
    options = prepared.options
    if not options.back_translate:
        return prepared
    watch(Phase("translating", time.monotonic() - prepared.begun))
    rows, _ = sides(prepared.table, options.holdout)
    table, said = _translated(prepared.table, rows, translator, options, folder, watch)
    digest = blake2b("\n".join(text for own in said.by for text in own.texts).encode("utf-8", "replace"))
    kept = journal.once("translated", lambda: {"digest": digest.hexdigest(), "seconds": journal.seconds_used})
    if kept["digest"] != digest.hexdigest():
        raise RunError(
            f"the translations in {str(folder)!r} are others than the run was begun with; give the same translator, or "
            "search anew."
        )
    again = prepare(table, options, prepared.module, prepared.begun, prepared.own)
    return dataclasses.replace(again, translated=said, ahead=float(kept["seconds"]))


def with_translations(
    table: Table,
    options: Options,
    translator: Translator,
    watch: Watcher,
    rows: npt.NDArray[np.int64] | None = None,
) -> Table:
    """The table with its texts translated, or those of these rows, where that was asked for; nothing is kept."""
    if not options.back_translate:
        return table
    check_translator(translator, options)
    watch(Phase("translating", 0.0))
    return _translated(table, np.arange(len(table.y)) if rows is None else rows, translator, options, None, watch)[0]


def _translated(
    table: Table,
    rows: npt.NDArray[np.int64],
    translator: Translator,
    options: Options,
    folder: str | Path | None,
    watch: Watcher,
) -> tuple[TextTable, Translated]:
    """The table with these rows' texts translated by way of each language of the options, and what came of it."""
    assert isinstance(table, TextTable)
    shape = table.written[rows].shape
    said = back_translations(
        table.written[rows].ravel().tolist(),
        translator,
        options.back_translate,
        source=SOURCE,
        cache=folder,
        progress=lambda step, done, total: watch(Translating(step, done, total)),
    )
    watch(Note(f"back-translation {said}"))
    versions = []
    for by in said.by:
        own = np.full(table.written.shape, "", dtype=object)
        own[rows] = np.array(by.texts, dtype=object).reshape(shape)
        versions.append(own.T.tolist())
    return table.translated(versions), said
