"""`tauten search` and `tauten resume`."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tauten.cli.flags import Data, Fixed, Folder, Source, Training, free_folder, refuse_taken, unfolded
from tauten.errors import OptionError


@unfolded
def search(
    source: Source,
    data: Data,
    *,
    budget: Annotated[str | None, typer.Option(help="Time for everything, such as 60s, 5m, 1h.")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Recipes in the race instead of a time: reproducible to the bit.")
    ] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random or grid.")] = "tpe",
    techniques: Annotated[
        str | None, typer.Option(help="Techniques to search over, such as dropout,l1; all by default.")
    ] = None,
    grid: Annotated[list[str] | None, typer.Option(help="For --sampler grid: NAME.KEY=V1,V2; may be repeated.")] = None,
    fixed: Fixed,
    holdout: Annotated[
        float | None, typer.Option(help="Share of the rows that no choice ever sees; 0.2 by default.")
    ] = None,
    holdout_file: Annotated[
        str | None,
        typer.Option(help="A file of your own that no choice ever sees, instead of such a share; of images, a source."),
    ] = None,
    training: Training,
    nested: Annotated[
        int, typer.Option(help="Outer folds, such as 5: half of the budget judges the whole procedure by them.")
    ] = 0,
    out: Folder = None,
) -> None:
    """Find the recipe for a network on data, and prove it."""
    begun = time.monotonic()  # before the libraries are loaded
    from tauten.api import search as run
    from tauten.sampler import parse_grid
    from tauten.show import Live, engine_note, summary

    folder = out or free_folder(source)
    refuse_taken(folder)
    if budget and trials:
        raise OptionError("--budget and --trials were both given; give one of the two.")
    if holdout is not None and holdout_file is not None:
        raise OptionError(
            f"--holdout {holdout:g} and --holdout-file {holdout_file} were both given; give one of the two."
        )
    engine_note(Console(stderr=True), training.model)
    with Live(Console(stderr=True), budget or (None if trials else "5m"), folder) as live:
        result = run(
            source,
            budget=budget,
            trials=trials,
            out=folder,
            watch=live,
            sampler=sampler,
            techniques=techniques,
            grid=parse_grid(grid or []),
            setting=fixed.asked(),
            holdout=0.2 if holdout is None else holdout,
            holdout_file=holdout_file,
            nested=nested,
            begun=begun,
            **data.asked(),
            **training.asked(),
        )
    summary(Console(), result.evidence, folder, source)


def resume(folder: Annotated[Path, typer.Argument(help="Folder of a run that was cut off.")]) -> None:
    """Go on with a run, to the result it would have had."""
    from tauten.api import resume as run
    from tauten.show import Live, summary

    with Live(Console(stderr=True), None, folder) as live:
        result = run(folder, watch=live)
    summary(Console(), result.evidence, folder, result.evidence["source"])
