"""`tauten inspect`: a network of one's own, looked at before any training."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from tauten.cli.flags import Embed, Target, Words
from tauten.errors import OptionError


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            help="Your own network: FILE.py:FUNCTION that returns an nn.Module, or the folder of a pretrained encoder."
        ),
    ],
    source: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Data as search takes it.")] = None,
    shape: Annotated[str | None, typer.Option(help="Shape of one row instead of data, such as 3,32,32.")] = None,
    target: Target = None,
    text: Words = None,
    embed: Embed = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say where each technique would act, which parameters decay, and whether members can be stacked."""
    from tauten.inspecting import inspect as look

    found = look(model, source, target=target, text=text, embed=embed, shape=None if shape is None else _sizes(shape))
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=1))
        return
    console = Console(highlight=False)
    for i, (heading, lines) in enumerate(found.sections().items()):
        console.print(Text(("\n" if i else "") + heading, style="bold"), soft_wrap=True)
        for line in lines:
            console.print(Text(f"  {line}"), soft_wrap=True)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"shape is {text!r}; it must be whole numbers with commas, such as 3,32,32.") from None
