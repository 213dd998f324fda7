"""`tauten preview`: what a recipe does to images, to be looked at before they are trained on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tauten.cli.flags import Augment
from tauten.errors import RunError


def preview(
    source: Annotated[str, typer.Argument(help="Images as search takes them.")],
    recipe: Annotated[str, typer.Option(help="A TOML file.")],
    augment: Augment = None,
    rows: Annotated[int, typer.Option(help="Images, as many of each class as there are.")] = 8,
    views: Annotated[int, typer.Option(help="Training steps to show each in.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the member that is looked at.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG file to write.")] = Path("preview.png"),
) -> None:
    """Draw images beside what a recipe makes of them in training."""
    if out.exists():
        raise RunError(f"--out {str(out)!r} exists; take another name.")
    from tauten.callables import load_technique
    from tauten.preview import views as look
    from tauten.recipe import Recipe

    for reference in augment or ():
        load_technique(reference)
    sheet = look(source, recipe=Recipe.load(recipe), rows=rows, count=views, seed=seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out)
    except (OSError, ValueError) as error:
        raise RunError(f"can't write {str(out)!r} ({error}); choose another --out, such as preview.png.") from None
    Console().print(f"Written: {out}")
