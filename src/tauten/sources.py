"""From what a person gives as data to a table: arrays, data sets of PyTorch's, paths, DataFrames."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tauten.data import (
    Table,
    TextTable,
    from_arrays,
    given,
    has_axes,
    holds_images,
    holds_texts,
    images,
    load,
    of_arrays,
    texts_in,
)
from tauten.data.columns import counted
from tauten.errors import OptionError
from tauten.options import Options


def table_of(
    X: Any,
    y: Any,
    target: str | Sequence[str] | None,
    options: Options,
    sample_weight: Any = None,
    holdout: Any = None,
    own_network: bool = False,
) -> Table:
    """A table from X and y, a tuple of both or a Dataset, or from a bundled name, a path or a DataFrame with targets.

    `holdout` is the person's own, beside arrays: a tuple (X, y) or a Dataset. Where texts are to be translated, each is
    its own translation as yet. `own_network`: it is for a network of the person's own, which may read sequences.
    OptionError for options that don't go with what X is, DataError for data that can't be
    used.
    """
    table = _read(X, y, target, options, sample_weight, holdout, own_network)
    if not options.back_translate:
        return table
    if not isinstance(table, TextTable):
        raise OptionError(
            f"back_translate is {','.join(options.back_translate)!r} and {table.name} has no text to translate; name "
            "its columns by text, or leave back_translate out."
        )
    return table.translated([table.written.T.tolist()] * len(options.back_translate))


def _read(
    X: Any,
    y: Any,
    target: str | Sequence[str] | None,
    options: Options,
    sample_weight: Any,
    holdout: Any,
    own_network: bool,
) -> Table:
    named = ("task", "categorical", "drop", "text", "embed", "groups", "time")
    columns = {name: getattr(options, name) for name in named}
    if isinstance(X, str | Path) and y is not None:
        raise OptionError(f"y was given beside {str(X)!r}, which holds its own target; leave y out, or pass arrays.")
    X, y, task, told = given(X, y)
    columns["task"] = options.task or task
    if sample_weight is not None and y is None:
        raise OptionError("sample_weight goes with arrays X and y; of a file or a DataFrame name the column by weight.")
    if isinstance(X, str | Path) or (y is None and target is not None and hasattr(X, "columns")):
        if holdout is not None:
            raise OptionError("holdout holds data and X is no array; name a file by holdout_file, or give a share.")
        if isinstance(X, str | Path) and holds_texts(X):
            return _written(X, target, options)
        if isinstance(X, str | Path) and holds_images(X):
            return _images(X, target, options, own_network)
        return load(X, target, **columns, weight=options.weight, holdout_file=options.holdout_file)
    if y is None:
        raise OptionError("y is missing; pass X and y, a tuple of both, a Dataset of pairs, or a path that holds both.")
    if options.weight is not None:
        raise OptionError(f"weight ({options.weight}) names a column beside the targets; with y pass sample_weight.")
    if options.holdout_file is not None:
        raise OptionError(
            f"holdout_file ({options.holdout_file}) goes with a file or a DataFrame that holds its targets; beside "
            "arrays give holdout=(X, y)."
        )
    held = None if holdout is None else _held(holdout, sample_weight)
    if has_axes(X):
        _no_columns(options, f"X has shape {tuple(X.shape)}")
        table: Table = of_arrays(X, y, task=columns["task"], sample_weight=sample_weight, held=held)
    else:
        table = from_arrays(X, y, **columns, sample_weight=sample_weight, held=held)
    return dataclasses.replace(table, warnings=(*told, *table.warnings))


def without_holdout(table: Table) -> Table:
    """The table less the rows of its test part or of the person's own holdout, and a warning where there are any."""
    if table.held is None:
        return table
    count = int(table.held.sum())
    said = f"{counted(count, 'row')} of the holdout in {table.name} take no part"
    rest = table.take(np.flatnonzero(~table.held))
    return dataclasses.replace(rest, held=None, warnings=(*table.warnings, said))


def _images(source: str | Path, target: str | Sequence[str] | None, options: Options, own_network: bool) -> Table:
    _no_columns(options, f"{str(source)!r} holds images")
    if options.weight is not None:
        raise OptionError(f"{str(source)!r} holds images, without columns; leave weight out.")
    if not (target is None or isinstance(target, str)):
        raise OptionError(f"target is {target!r} and {str(source)!r} holds images; name one column of labels.")
    return images(source, options.task, target, options.holdout_file, own_network)


def _written(source: str | Path, target: str | Sequence[str] | None, options: Options) -> Table:
    _no_columns(dataclasses.replace(options, embed=None), f"{str(source)!r} holds texts")
    for name, asked in (("target", target), ("weight", options.weight), ("holdout_file", options.holdout_file)):
        if asked is not None:
            raise OptionError(f"{name} is {asked!r} and {str(source)!r} holds texts, without columns; leave it out.")
    columns = texts_in(source)
    table = load(columns, columns.columns[1], options.task, text=columns.columns[0], embed=options.embed)
    return dataclasses.replace(table, name=str(source))


def _held(holdout: Any, sample_weight: Any) -> tuple[Any, Any]:
    X, y, *_ = given(holdout)
    if y is None:
        raise OptionError(
            f"holdout is {type(holdout).__name__}; it must be a share of the rows, a tuple (X, y), or a Dataset."
        )
    if sample_weight is not None:
        raise OptionError("sample_weight and a holdout of your own were given, whose weights nobody knows; leave one.")
    return X, y


def _no_columns(options: Options, what: str) -> None:
    for name in ("categorical", "drop", "text", "embed", "groups", "time"):
        if asked := getattr(options, name):
            raise OptionError(f"{name} is {asked!r} and {what}, without columns; leave {name} out.")
