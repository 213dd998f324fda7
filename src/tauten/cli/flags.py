"""Flags that several commands share, in groups, and what their texts mean."""

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from tauten.errors import OptionError, RunError

Source = Annotated[
    str,
    typer.Argument(
        help="digits, breast_cancer, wine, diabetes; a CSV, TSV, ARFF, Parquet or Feather file; or images: a folder "
        "with one for each class, with IDX files or Parquet, an .npz or .safetensors archive, or Parquet of images."
    ),
]
Target = Annotated[
    str | None, typer.Option(help="Name of the target column, or several: a,b; of Parquet of images, the labels.")
]
Words = Annotated[str | None, typer.Option(help="Columns a,b of text, read as words.")]
Embed = Annotated[
    str | None,
    typer.Option(help="Vectors of your own for texts: FILE.py:FUNCTION, of n texts to an array (n, d), frozen."),
]
Threads = Annotated[str, typer.Option(help="A number, or auto: the physical cores free to this process.")]
Folder = Annotated[Path | None, typer.Option(help="Folder for the run; runs/NAME by default.")]
ModelFile = Annotated[
    str | None,
    typer.Option(
        help="Your own network: FILE.py:FUNCTION that returns an nn.Module; of texts also the folder of a pretrained "
        "encoder, as transformers saves one."
    ),
]

Augment = Annotated[
    list[str] | None,
    typer.Option(
        help="An augmentation of your own: FILE.py:NAME, a function of a strength, or what data_technique returned; "
        "may be repeated."
    ),
]


BackTranslate = Annotated[
    str | None, typer.Option(help="Translate texts there and back by Apertium, once: by way of spa, or spa,epo.")
]


@dataclasses.dataclass(frozen=True)
class Data:
    """What the table's columns mean."""

    target: Target = None
    task: Annotated[str | None, typer.Option(help="classification, multilabel or regression; else guessed.")] = None
    categorical: Annotated[str | None, typer.Option(help="Columns a,b to read as labels, such as codes.")] = None
    drop: Annotated[str | None, typer.Option(help="Columns a,b to leave out.")] = None
    text: Words = None
    embed: Embed = None
    groups: Annotated[str | None, typer.Option(help="Column of what must not be split, such as the patient.")] = None
    time: Annotated[str | None, typer.Option(help="Column of time: the latest rows are held out.")] = None
    weight: Annotated[str | None, typer.Option(help="Column of what each row counts.")] = None

    def asked(self) -> dict[str, Any]:
        """As the functions of `tauten.api` take it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Training:
    """How networks are trained and scored."""

    metric: Annotated[
        str,
        typer.Option(
            help="auto is log_loss or rmse; accuracy, balanced_accuracy, f1, auc, brier, mse, mae, r2, pinball:0.9."
        ),
    ] = "auto"
    class_weight: Annotated[
        str | None, typer.Option(help="balanced: train every arm as if all classes were equally frequent.")
    ] = None
    folds: Annotated[str, typer.Option(help="A number, or auto.")] = "auto"
    seed: Annotated[int, typer.Option(help="Seed of everything but the holdout.")] = 0
    threads: Threads = "auto"
    precision: Annotated[
        str, typer.Option(help="Of products in training: fp32, bf16, or auto: bf16 where it is fast.")
    ] = "auto"
    model: ModelFile = None
    augment: Augment = None
    back_translate: BackTranslate = None
    synonyms: Annotated[
        str | None,
        typer.Option(help="A CSV of word,synonym[,synonym…], or the folder of a WordNet; else as installed."),
    ] = None

    def asked(self) -> dict[str, Any]:
        """As the functions of `tauten.api` take it."""
        return {**dataclasses.asdict(self), "folds": parse_folds(self.folds)}


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Parts of the setting that are not to be tuned or filled in."""

    epochs: Annotated[int | None, typer.Option(help="Full length of a training.")] = None
    learning_rate: Annotated[float | None, typer.Option("--lr", help="Learning rate; tuned by default.")] = None
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None
    optimizer: Annotated[str | None, typer.Option(help="adamw, adam or sgd.")] = None
    width: Annotated[int | None, typer.Option(help="Hidden units of a layer of the built-in network.")] = None
    net: Annotated[
        str | None, typer.Option(help="Built-in network: auto, mlp; convnet for images; bag, bigrams or kim for text.")
    ] = None
    depth: Annotated[int | None, typer.Option(help="Hidden layers of the built-in network.")] = None
    numeric: Annotated[
        str | None, typer.Option(help="Numbers enter scaled (plain) or over quantile bins (piecewise); else tuned.")
    ] = None

    def asked(self) -> dict[str, Any]:
        """The setting as far as it is given."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def unfolded(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer, which sees each field of a parameter that is one of the groups above as a flag."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    flags: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name not in groups:
            flags.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        own = get_type_hints(groups[name], include_extras=True)
        flags += [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=own[f.name])
            for f in dataclasses.fields(groups[name])
        ]

    def run(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{f.name: given.pop(f.name) for f in dataclasses.fields(kind)})
        command(**given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {flag.name: flag.annotation for flag in flags}
    vars(run)["__signature__"] = signature.replace(parameters=flags)
    return run


def parse_folds(text: str) -> int | None:
    """A number of folds, or None for auto."""
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise OptionError(f"folds is {text!r}; it must be a whole number or auto.") from None


def free_folder(source: str) -> Path:
    """runs/NAME, or with a number behind it where that is taken."""
    name = Path(source).name.split(".")[0] or "run"
    taken = [p.name for p in Path("runs").glob(f"{name}*")]
    return Path("runs") / next(n for i in range(len(taken) + 1) if (n := f"{name}-{i + 1}" if i else name) not in taken)


def refuse_taken(folder: Path) -> None:
    """RunError for a folder that holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"--out {str(folder)!r} exists and is not empty; take another folder, or `tauten resume {folder}` to go on."
        )
