"""`tauten explain`: costs, interactions and ranges of a finished search's recipe."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from tauten.cli.flags import ModelFile


def explain(
    run: Annotated[Path, typer.Argument(help="Folder of a finished search.")],
    replicates: Annotated[
        int | None, typer.Option(help="Fresh partitions to train on; by default twenty trainings an arm.")
    ] = None,
    model: ModelFile = None,
) -> None:
    """Say what each ingredient costs, how two act together, and which other values are within noise."""
    from tauten.explaining import explain as measure
    from tauten.networks import load_builder
    from tauten.report.explanation import explanation
    from tauten.report.words import Names
    from tauten.show import Live

    with Live(Console(stderr=True), None) as live:
        found = measure(run, replicates=replicates, model=load_builder(model), watch=live)
    console = Console()
    metric = Names.of(found.metric).metric
    console.print(
        f"{found.trainings} trainings an arm on fresh folds. Gains are in {metric}, positive is better; 95 % intervals "
        "hold for all techniques together, and for all values.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for lines in explanation(found.to_json()).values():
        for line in lines:
            console.print(Text(line), soft_wrap=True)
    console.print(f"Written: {run}/explanation.json; report.html shows it", soft_wrap=True)
