"""`tauten train` and `tauten compare`: recipes measured without a search."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tauten.cli.flags import Data, Folder, Source, Training, free_folder, refuse_taken, unfolded
from tauten.errors import OptionError

Recipes = Annotated[list[str], typer.Option("--recipe", help="A TOML file, plain or usual; may be repeated.")]


@unfolded
def train(
    source: Source,
    recipe: Annotated[str, typer.Option(help="A TOML file, plain or usual.")],
    data: Data,
    training: Training,
    out: Folder = None,
) -> None:
    """Train one recipe, no search: its cross-validated figures, and a model of all rows."""
    from tauten.show import measured

    folder = out or free_folder(source)
    refuse_taken(folder)
    found = _measure(source, [recipe], data, training, deliver=True)
    folder.mkdir(parents=True, exist_ok=True)
    trained = found.models[recipe]
    trained.recipe.save(folder / "recipe.toml")
    trained.save(folder)
    _write(folder / "result.json", found.to_json())
    measured(Console(), found.to_json())
    Console().print(f"Written: {folder}/model.safetensors, recipe.toml, result.json")


@unfolded
def compare(source: Source, recipe: Recipes, data: Data, training: Training, out: Folder = None) -> None:
    """Compare recipes on the same folds and seeds, paired, in one population."""
    from tauten.show import measured

    if len(recipe) < 2:
        raise OptionError("compare needs two recipes or more; add --recipe plain, for one.")
    found = _measure(source, recipe, data, training, deliver=False)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        _write(out / "comparison.json", found.to_json())
    measured(Console(), found.to_json())


def _measure(source: str, recipes: list[str], data: Data, training: Training, deliver: bool) -> Any:
    from tauten.api import compare as run
    from tauten.show import Live, engine_note

    engine_note(Console(stderr=True), training.model)
    with Live(Console(stderr=True), None) as live:
        return run(source, recipes=recipes, deliver=deliver, watch=live, **data.asked(), **training.asked())


def _write(path: Path, figures: dict[str, Any]) -> None:
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
