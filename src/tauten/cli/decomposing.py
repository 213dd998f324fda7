"""`tauten bias-variance`: what a technique's strength does to variance and to bias."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tauten.cli.flags import Augment, Data, Fixed, ModelFile, Source, Threads, refuse_taken, unfolded

Precision = Annotated[str, typer.Option(help="Of products in training: fp32, bf16, or auto: bf16 where it is fast.")]


@unfolded
def bias_variance(
    source: Source,
    technique: Annotated[str, typer.Option(help="Its name, or NAME.KEY where it has several numbers.")],
    values: Annotated[str, typer.Option(help="FROM:TO:COUNT, such as 0:0.8:9, or V1,V2,V3.")],
    data: Data,
    setting: Fixed,
    replicates: Annotated[int, typer.Option(help="Networks that predict each row, all trained without it.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the resamples and of training.")] = 0,
    threads: Threads = "auto",
    precision: Precision = "auto",
    model: ModelFile = None,
    augment: Augment = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figure, the page and the raw figures.")] = None,
) -> None:
    """Variance and bias + noise against a technique's strength, from networks trained on halves of the rows."""
    from tauten.biasvariance import bias_variance as run
    from tauten.show import Live, engine_note

    if out:
        refuse_taken(out)
    engine_note(Console(stderr=True), model)
    with Live(Console(stderr=True), None) as live:
        found = run(
            source,
            technique=technique,
            values=values,
            **data.asked(),
            replicates=replicates,
            setting=setting.asked(),
            seed=seed,
            threads=threads,
            precision=precision,
            model=model,
            augment=augment,
            watch=live,
        )
    typer.echo(found.table())
    if out:
        found.save(out)
        Console().print(f"Written: {out}/report.html, bias-variance.png, bias-variance.json")
