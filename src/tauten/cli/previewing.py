"""`tauten preview`: what a recipe does to images or texts, to be looked at before they are trained on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from tauten.cli.flags import Augment, BackTranslate, Data, unfolded
from tauten.errors import RunError


@unfolded
def preview(
    source: Annotated[str, typer.Argument(help="Images, or with --text a table, as search takes them.")],
    recipe: Annotated[str, typer.Option(help="A TOML file.")],
    data: Data,
    back_translate: BackTranslate = None,
    augment: Augment = None,
    rows: Annotated[int, typer.Option(help="Images or texts, as many of each class as there are.")] = 8,
    views: Annotated[int, typer.Option(help="Training steps to show each in.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the member that is looked at.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File to write: PNG of images, preview.png by default; .html or .txt of texts."
        ),
    ] = None,
) -> None:
    """Show images or texts beside what a recipe makes of them in training."""
    from tauten.callables import load_technique
    from tauten.preview import views as look
    from tauten.recipe import Recipe
    from tauten.textsheet import TextSheet

    for reference in augment or ():
        load_technique(reference)
    given = {**data.asked(), "back_translate": back_translate}
    if out is not None:
        _refuse(out)
    sheet = look(source, recipe=Recipe.load(recipe), rows=rows, count=views, seed=seed, **given)
    console = Console()
    if isinstance(sheet, TextSheet):
        for line in sheet.lines():
            shown = Text(" ").join(Text(words, style="bold yellow" if new else "") for words, new in line)
            console.print(shown, soft_wrap=True)
    elif out is None:
        out = Path("preview.png")
        _refuse(out)
    if out is None:
        return
    try:
        sheet.save(out)
    except (OSError, ValueError) as error:
        raise RunError(f"can't write {str(out)!r} ({error}); choose another --out.") from None
    console.print(f"Written: {out}", soft_wrap=True)


def _refuse(out: Path) -> None:
    if out.exists():
        raise RunError(f"--out {str(out)!r} exists; take another name.")
