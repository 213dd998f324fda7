"""What a person calls from Python."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from tauten.callables import MADE, load_technique
from tauten.data import Table
from tauten.declare import Value
from tauten.errors import OptionError, RunError
from tauten.journal import Journal
from tauten.measure import Measured, measure
from tauten.member import RowLosses
from tauten.native.library import describe
from tauten.nested import nested, outer_splits
from tauten.networks import Build, load_builder, read_by, settled
from tauten.options import Options, parse_budget, parse_columns, parse_names, parse_threads
from tauten.own import BUILT_IN, Function, Own
from tauten.recipe import Recipe
from tauten.replay import fitting
from tauten.result import Result, result_of
from tauten.searching import Prepared, Watcher, find, prepare
from tauten.sources import table_of, without_holdout
from tauten.supplies import check_supplied, supplied
from tauten.technique import Technique, techniques
from tauten.translating import Given, check_translator, translated, translator_again, translator_of, with_translations
from tauten.unrecorded import Recorder, Unrecorded
from tauten.usual import usual

SHARE = 0.2
"""Of the rows, held out unless asked otherwise."""


def search(
    X: Any,
    y: Any = None,
    *,
    target: str | Sequence[str] | None = None,
    sample_weight: Any = None,
    model: Build | str | None = None,
    metric: str | Function = "auto",
    loss: RowLosses | None = None,
    budget: str | float | None = None,
    trials: int | None = None,
    holdout: Any = SHARE,
    translator: Given | None = None,
    out: str | Path | None = None,
    watch: Watcher = lambda _: None,
    begun: float | None = None,
    **options: Any,
) -> Result:
    """Find the regularization recipe of a network on data, and prove it.

    X and y are arrays, tensors or a DataFrame: X (n, columns), images (n, C, H, W), or for a `model` any (n, …) such as
    sequences (n, T, d); y (n,) or (n, K). Or X alone is a tuple of both; a `torch.utils.data.Dataset` of pairs (x, y)
    with a length, which is read once (of an iterable one, collect the items first); the name of bundled data; a file
    (CSV, TSV, ARFF, Parquet, Feather) or a DataFrame that holds its targets, whose columns `target` names; or a path of
    images: a folder with one for each class, with IDX files or Parquet, an archive (.npz, .safetensors), or Parquet of
    encoded images (see `tauten.data.images`).
    `sample_weight` (n,) says how much each row counts, in losses and in scores; in a file, the column `weight`.
    `budget` is a time such as "5m" (the default), or give a number of `trials`. `model` is a function that builds your
    own `nn.Module`, "file.py:function", or for texts the folder of a pretrained encoder (see
    `tauten.PretrainedEncoder`); without it a residual MLP is used, for images a residual convnet. `holdout` is a share
    of the rows, or beside arrays data of your own, (X, y) or a Dataset. `metric` is a name or, as `loss`, a
    function of your own, see `tauten.own.Own`. `translator` translates texts where `back_translate` asks for it, the
    program Apertium unless you give one: see `tauten.text.translation`, or a function of (sentences, source, target).

    Options: sampler, techniques, augment ("file.py:name", or several: techniques of your own, see
    `tauten.callables.data_technique`), grid, setting (a mapping, such as {"epochs": 30}), folds, seed,
    threads, precision, task, categorical, drop, text, synonyms (a CSV of word,synonym[,synonym…], or a WordNet's
    folder where it isn't found by itself), back_translate ("spa", or several languages by way of which texts are
    translated there and back, once), embed ("file.py:function", of n texts to an array (n, d), which then stands
    in the place of their columns; beside arrays, pass its vectors as columns), groups, time, weight, holdout_file,
    class_weight (None or "balanced"), nested (a number of outer folds that are searched too, in half of the budget, to
    judge the procedure itself). With `out`, the run is journaled there, can be resumed, and leaves its results. `begun`
    is when the budget began to run, by `time.monotonic()`; else at the call.

    Errors: DataError, OptionError, RecipeError, ModelError, RunError; before anything is trained or written.

    >>> import tauten
    >>> result = tauten.search("wine", trials=3, setting={"epochs": 2, "width": 8})
    >>> result.verdict in ("proved", "likely", "no evidence")
    True
    """
    begun = time.monotonic() if begun is None else begun
    own, options["metric"] = Own.of(metric, loss)
    own_holdout = None if isinstance(holdout, Real) else holdout
    options["holdout"] = holdout if own_holdout is None else SHARE
    build = load_builder(model)
    chosen = settled(make_options(budget=None if trials else budget or "5m", trials=trials, **options), build)
    table = read_by(table_of(X, y, target, chosen, sample_weight, own_holdout, model is not None), build)
    source = str(X) if isinstance(X, str | Path) else None
    prepared = prepare(table, chosen, build, begun, own)
    header = {
        "source": source,
        "target": target if target is None or isinstance(target, str) else list(target),
        "model": model if isinstance(model, str) else None,
        "own_model": model is not None,
        "own": own.names,
        "translator": None if translator is None else translator_of(translator).name,
        "made": [name for name, kind in techniques().items() if kind.own == MADE],
        "options": chosen.to_json(),
        "engine": describe(),
        "data_hash": table.content_hash(),
        "supplied": supplied(prepared.table),
        "network": prepared.builder.module and prepared.builder.module.digest,
    }
    outer_splits(prepared)
    translates = translator_of(translator)
    check_translator(translates, chosen)
    if out is None:
        journal = Unrecorded()
        return _searched(translated(prepared, translates, journal, None, watch), journal, None, watch)
    with Journal.create(out, header) as kept:
        return _searched(translated(prepared, translates, kept, out, watch), kept, out, watch)


def resume(
    folder: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    holdout: Any = None,
    sample_weight: Any = None,
    model: Build | None = None,
    metric: Function | None = None,
    loss: RowLosses | None = None,
    translator: Given | None = None,
    watch: Watcher = lambda _: None,
) -> Result:
    """Go on with a run that was cut off, to the result it would have had.

    A search of arrays needs the same X, y, sample_weight and `holdout` of its own again, one of a function its
    `model`, and one that was cut off in translating its own `translator`; a file or bundled data is read again by
    itself. Errors: RunError where the folder holds no run or the data is another.
    """
    with Journal.resume(folder) as journal, fitting(journal):
        own = Own(metric, loss)
        prepared = prepare_again(folder, journal, X, y, model, sample_weight, own, holdout, translator, watch)
        return _searched(prepared, journal, folder, watch)


def _searched(prepared: Prepared, journal: Recorder, folder: str | Path | None, watch: Watcher) -> Result:
    """The search's result, saved before outer searches begin, which add to its figures; the report is drawn once."""
    splits = outer_splits(prepared)
    found = find(prepared, journal, watch)
    result = result_of(found)
    if folder is not None:
        result.save_model(folder)
    if splits:
        result = result_of(found, nested(prepared, splits, found, journal, folder, watch))
    if folder is not None:
        result.save_report(folder)
    return result


def prepare_again(
    folder: str | Path,
    journal: Journal,
    X: Any,
    y: Any,
    model: Build | None,
    sample_weight: Any = None,
    own: Own = BUILT_IN,
    holdout: Any = None,
    translator: Given | None = None,
    watch: Watcher = lambda _: None,
) -> Prepared:
    """The search of a run folder set up once more, from its journal; errors as for `resume`."""
    header = journal.header
    if X is None and header["source"] is None:
        raise RunError(f"{str(folder)!r} was a search of arrays; pass the same X and y again, after the folder.")
    for name in header.get("made", ()):
        if name not in techniques():
            raise RunError(
                f"{str(folder)!r} searched over {name} of your own; call tauten.data_technique for it first."
            )
    options = Options.from_json(header["options"])
    builder = load_builder(model or header["model"])
    data, own_network = header["source"] if X is None else X, header["own_model"]
    table = table_of(data, y, header["target"], options, sample_weight, holdout, own_network)
    table = read_by(table, builder)
    if table.content_hash() != header["data_hash"]:
        raise RunError(f"the data of {str(folder)!r} has changed since the run began; give the same data again.")
    if builder is None and header["own_model"]:
        raise RunError(f"{str(folder)!r} searched a module of your own; pass model=build, as it was in the search.")
    for name, function in header["own"].items():
        if own.names.get(name) != function:
            raise RunError(f"{str(folder)!r} had a {name} of your own, {function}; pass {name}={function} again.")
    prepared = prepare(table, options, builder, own=own)
    check_supplied(header["supplied"], prepared.table)
    if prepared.builder.module and prepared.builder.module.digest != header["network"]:
        raise RunError(
            f"the network of {str(folder)!r} has changed since the run began, or begins with other weights; give it as "
            "it was, or start anew in another --out."
        )
    prepared = translated(prepared, translator_again(translator, header.get("translator")), journal, folder, watch)
    if builder is None and header["engine"] != describe():
        prepared.contest.notes.append(
            f"begun on engine {header['engine']}, resumed on {describe()}: the figures agree to rounding only."
        )
    return prepared


def compare(
    X: Any,
    y: Any = None,
    *,
    recipes: Mapping[str, Recipe | str | Path] | Sequence[str | Path],
    target: str | Sequence[str] | None = None,
    sample_weight: Any = None,
    model: Build | str | None = None,
    metric: str | Function = "auto",
    loss: RowLosses | None = None,
    deliver: bool = False,
    translator: Given | None = None,
    watch: Watcher = lambda _: None,
    **options: Any,
) -> Measured:
    """Measure recipes on the same folds with the same seeds, paired, in one population.

    `recipes` are Recipe objects, TOML files, "plain" or "usual". Options: setting (for plain and usual), folds,
    seed, threads, task, categorical, drop, text, synonyms, back_translate, groups, time, weight, class_weight;
    `sample_weight`, `metric`, `loss` and `translator` as in `search`.
    Rows of a test part that a path of images holds take no part.
    With `deliver` each is also trained on all rows (`.models`).
    """
    own, options["metric"] = Own.of(metric, loss)
    build = load_builder(model)
    chosen = settled(make_options(trials=3, **options), build)
    if chosen.holdout_file is not None:
        raise OptionError("nothing is held out where recipes are compared; leave holdout_file out.")
    if chosen.nested:
        raise OptionError("nothing is searched where recipes are compared; leave nested out.")
    table = read_by(
        without_holdout(table_of(X, y, target, chosen, sample_weight, own_network=model is not None)), build
    )
    named = recipes if isinstance(recipes, Mapping) else {str(r): r for r in recipes}
    if len(named) < len(recipes):
        raise OptionError("a recipe is named twice; name each once.")
    loaded = {name: recipe_of(recipe, chosen, table, build is not None) for name, recipe in named.items()}
    table = with_translations(table, chosen, translator_of(translator), watch)
    return measure(table, loaded, chosen, watch, build, deliver, own)


def make_options(
    *,
    budget: str | float | None = None,
    trials: int | None = None,
    techniques: str | Sequence[str | type[Technique]] | None = None,
    augment: str | Sequence[str] | None = None,
    threads: str | int = "auto",
    setting: Mapping[str, Value] | None = None,
    grid: Mapping[str, Sequence[Value]] | None = None,
    categorical: str | Sequence[str] | None = None,
    drop: str | Sequence[str] | None = None,
    text: str | Sequence[str] | None = None,
    back_translate: str | Sequence[str] | None = None,
    synonyms: str | Path | None = None,
    **others: Any,
) -> Options:
    """Options from what a person writes; an unknown one is refused."""
    known = [field.name for field in dataclasses.fields(Options)]
    for name in others:
        if name not in known:
            raise OptionError(f"there is no option {name!r}; it knows {', '.join(known)}.")
    own = [load_technique(reference) for reference in parse_columns(augment)]
    names = parse_names(techniques)
    return Options(
        budget=None if budget is None else parse_budget(budget),
        trials=trials,
        techniques=None if names is None else (*names, *(kind.name for kind in own)),
        augment=tuple(str(kind.own) for kind in own),
        threads=parse_threads(threads),
        setting=dict(setting or {}),
        grid={k: tuple(v) for k, v in (grid or {}).items()},
        categorical=parse_columns(categorical),
        drop=parse_columns(drop),
        text=parse_columns(text),
        back_translate=parse_columns(back_translate),
        synonyms=None if synonyms is None else str(synonyms),
        **others,
    )


def recipe_of(recipe: Recipe | str | Path, options: Options, table: Table, own_module: bool = False) -> Recipe:
    """A recipe from a file, or plain or usual at the setting that suits the data."""
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe) in ("plain", "usual"):
        setting = options.setting_for(len(table.y) * 4 // 5, table.data, own_module)
        return Recipe((), setting) if str(recipe) == "plain" else usual(setting)
    return Recipe.load(recipe)
