"""The command line: parse, call, show. Bad input is one sentence and exit code 2."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tauten.errors import OptionError, RunError, UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Finds, applies and proves the regularization of a neural network.",
)

Source = Annotated[str, typer.Argument(help="digits, breast_cancer, wine, diabetes, or a CSV(.gz) file.")]
Target = Annotated[str | None, typer.Option(help="Name of the target column.")]
Budget = Annotated[str | None, typer.Option(help="Time for everything, such as 60s, 5m, 1h.")]
Trials = Annotated[int | None, typer.Option(help="Recipes in the race instead of a time: reproducible to the bit.")]
MetricName = Annotated[
    str, typer.Option(help="auto is log_loss or rmse; accuracy, balanced_accuracy, brier, mae, mse.")
]
SamplerName = Annotated[str, typer.Option(help="tpe, random or grid.")]
Names = Annotated[str | None, typer.Option(help="Techniques to search over, such as dropout,l1; all by default.")]
Grid = Annotated[list[str] | None, typer.Option(help="For --sampler grid: NAME.KEY=V1,V2; may be repeated.")]
Epochs = Annotated[int | None, typer.Option(help="Full length of a training.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Learning rate; tuned by default.")]
BatchSize = Annotated[int | None, typer.Option(help="Rows a step.")]
OptimizerName = Annotated[str | None, typer.Option(help="adamw, adam or sgd.")]
Width = Annotated[int | None, typer.Option(help="Hidden units of a layer of the built-in network.")]
Depth = Annotated[int | None, typer.Option(help="Hidden layers of the built-in network.")]
Folds = Annotated[str, typer.Option(help="A number, or auto.")]
Holdout = Annotated[float, typer.Option(help="Share of the rows that no choice ever sees.")]
Seed = Annotated[int, typer.Option(help="Seed of everything but the holdout.")]
Threads = Annotated[str, typer.Option(help="A number, or auto: the physical cores free to this process.")]
Precision = Annotated[str, typer.Option(help="Of products in training: fp32, bf16, or auto: bf16 where it is fast.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the run; runs/NAME by default.")]
ModelFile = Annotated[str | None, typer.Option(help="Your own network: FILE.py:FUNCTION that returns an nn.Module.")]
Recipes = Annotated[list[str], typer.Option("--recipe", help="A TOML file, plain or usual; may be repeated.")]


@app.command()
def search(
    source: Source,
    target: Target = None,
    budget: Budget = None,
    trials: Trials = None,
    metric: MetricName = "auto",
    sampler: SamplerName = "tpe",
    techniques: Names = None,
    grid: Grid = None,
    epochs: Epochs = None,
    lr: Rate = None,
    batch_size: BatchSize = None,
    optimizer: OptimizerName = None,
    width: Width = None,
    depth: Depth = None,
    folds: Folds = "auto",
    holdout: Holdout = 0.2,
    seed: Seed = 0,
    threads: Threads = "auto",
    precision: Precision = "auto",
    out: Out = None,
    model: ModelFile = None,
) -> None:
    """Find the recipe for a network on data, and prove it."""
    begun = time.monotonic()  # before the libraries are loaded
    from tauten.api import search as run
    from tauten.sampler import parse_grid
    from tauten.show import Live, engine_note, summary

    folder = out or _free_folder(source)
    _refuse_taken(folder)
    if budget and trials:
        raise OptionError("--budget and --trials were both given; give one of the two.")
    engine_note(Console(stderr=True), model)
    with Live(Console(stderr=True), budget or (None if trials else "5m"), folder) as live:
        result = run(
            source,
            target=target,
            model=model,
            budget=budget,
            trials=trials,
            out=folder,
            watch=live,
            metric=metric,
            sampler=sampler,
            techniques=techniques,
            grid=parse_grid(grid or []),
            setting=_setting(epochs, lr, batch_size, optimizer, width, depth),
            folds=_folds(folds),
            holdout=holdout,
            seed=seed,
            threads=threads,
            precision=precision,
            begun=begun,
        )
    summary(Console(), result.evidence, folder, source)


@app.command()
def resume(folder: Annotated[Path, typer.Argument(help="Folder of a run that was cut off.")]) -> None:
    """Go on with a run, to the result it would have had."""
    from tauten.api import resume as run
    from tauten.show import Live, summary

    with Live(Console(stderr=True), None, folder) as live:
        result = run(folder, watch=live)
    summary(Console(), result.evidence, folder, result.evidence["source"])


@app.command()
def train(
    source: Source,
    recipe: Annotated[str, typer.Option(help="A TOML file, plain or usual.")],
    target: Target = None,
    metric: MetricName = "auto",
    folds: Folds = "auto",
    seed: Seed = 0,
    threads: Threads = "auto",
    precision: Precision = "auto",
    out: Out = None,
    model: ModelFile = None,
) -> None:
    """Train one recipe, no search: its cross-validated figures, and a model of all rows."""
    from tauten.show import measured

    folder = out or _free_folder(source)
    _refuse_taken(folder)
    found = _measure(source, [recipe], target, metric, folds, seed, threads, precision, model, deliver=True)
    folder.mkdir(parents=True, exist_ok=True)
    trained = found.models[recipe]
    trained.recipe.save(folder / "recipe.toml")
    trained.save(folder)
    (folder / "result.json").write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
    measured(Console(), found.to_json())
    Console().print(f"Written: {folder}/model.safetensors, recipe.toml, result.json")


@app.command()
def compare(
    source: Source,
    recipe: Recipes,
    target: Target = None,
    metric: MetricName = "auto",
    folds: Folds = "auto",
    seed: Seed = 0,
    threads: Threads = "auto",
    precision: Precision = "auto",
    out: Out = None,
    model: ModelFile = None,
) -> None:
    """Compare recipes on the same folds and seeds, paired, in one population."""
    from tauten.show import measured

    if len(recipe) < 2:
        raise OptionError("compare needs two recipes or more; add --recipe plain, for one.")
    found = _measure(source, recipe, target, metric, folds, seed, threads, precision, model, deliver=False)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "comparison.json").write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
    measured(Console(), found.to_json())


@app.command()
def techniques(
    name: Annotated[str | None, typer.Argument(help="One technique, in full.")] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="All cards as a page.")] = False,
) -> None:
    """List the techniques, or explain one."""
    from tauten.show import card, catalogue, markdown

    if as_markdown:
        typer.echo(markdown(), nl=False)
    elif name:
        card(Console(), name)
    else:
        catalogue(Console())


@app.command()
def experiment(
    name: Annotated[str | None, typer.Argument(help="Which; without a name they are listed.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the data set's own files.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds of each arm.")] = 10,
    threads: Threads = "auto",
    out: Out = None,
) -> None:
    """Replay a published claim, small."""
    from tauten.declare import suggest
    from tauten.experiments import experiments
    from tauten.options import parse_threads

    known = experiments()
    console = Console()
    if name is None:
        for key, run in known.items():
            console.print(f"[bold]{key}[/]  {(run.__doc__ or '').splitlines()[0]}")
        return
    if name not in known:
        raise OptionError(f"there is no experiment {name!r}; {suggest(name, known)}.")
    folder = out or Path("runs") / name
    known[name](folder, seeds, data, parse_threads(threads), Console(stderr=True).print)
    typer.echo((folder / "table.md").read_text(encoding="utf-8"))
    console.print(f"Written: {folder}")


def _measure(
    source: str,
    recipes: list[str],
    target: str | None,
    metric: str,
    folds: str,
    seed: int,
    threads: str,
    precision: str,
    model: str | None,
    deliver: bool,
) -> Any:
    from tauten.api import compare as run
    from tauten.show import Live, engine_note

    engine_note(Console(stderr=True), model)
    with Live(Console(stderr=True), None) as live:
        return run(
            source,
            recipes=recipes,
            target=target,
            model=model,
            deliver=deliver,
            watch=live,
            metric=metric,
            folds=_folds(folds),
            seed=seed,
            threads=threads,
            precision=precision,
        )


def _setting(
    epochs: int | None,
    lr: float | None,
    batch_size: int | None,
    optimizer: str | None,
    width: int | None,
    depth: int | None,
) -> dict[str, Any]:
    given = {
        "epochs": epochs,
        "learning_rate": lr,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "width": width,
        "depth": depth,
    }
    return {k: v for k, v in given.items() if v is not None}


def _folds(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise OptionError(f"folds is {text!r}; it must be a whole number or auto.") from None


def _free_folder(source: str) -> Path:
    name = Path(source).name.split(".")[0] or "run"
    taken = [p.name for p in Path("runs").glob(f"{name}*")]
    return Path("runs") / next(n for i in range(len(taken) + 1) if (n := f"{name}-{i + 1}" if i else name) not in taken)


def _refuse_taken(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"--out {str(folder)!r} exists and is not empty; take another folder, or `tauten resume {folder}` to go on."
        )


def main() -> None:
    """Entry point of the `tauten` command."""
    try:
        app()
    except UsageError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
