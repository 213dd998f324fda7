"""`tauten predict` and `tauten info`: what to do with a run that has ended."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tauten.cli.flags import Embed, ModelFile
from tauten.errors import RunError

Run = Annotated[Path, typer.Argument(help="Folder that a search or a training left.")]


def predict(
    run: Run,
    data: Annotated[
        str,
        typer.Argument(
            help="A file with the columns of training, in any order, others are ignored; a folder of .txt files; or "
            "images: a picture, a folder of them, IDX files, .npz, .safetensors or Parquet, of which a test part is "
            "taken alone."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write.")] = Path("predictions.csv"),
    interval: Annotated[
        float | None, typer.Option(help="In regression: low and high, between which this share of targets lies.")
    ] = None,
    model: ModelFile = None,
    embed: Embed = None,
) -> None:
    """Predict the rows of a file, texts or images, with the model of a run."""
    if out.exists():
        raise RunError(f"--out {str(out)!r} exists; take another name.")
    from tauten.model import Model
    from tauten.networks import load_builder
    from tauten.predict import predictions, rows_of
    from tauten.show import predicted

    trained = Model.load(run, load_builder(model), embed)
    rows, names = rows_of(trained, data)
    table = predictions(trained, rows, interval, names)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(out, index=False)
    except OSError as error:
        raise RunError(f"can't write {str(out)!r} ({error.strerror}); choose another --out.") from None
    predicted(Console(), table, out, interval)


def info(run: Run) -> None:
    """Show what a run found: data, verdict, recipe, figures, time."""
    from tauten.info import about
    from tauten.result import read_figures

    about(Console(), read_figures(run), run)
