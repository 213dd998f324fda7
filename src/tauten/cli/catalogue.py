"""`tauten techniques` and `tauten experiment`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tauten.cli.flags import Folder, Threads
from tauten.errors import OptionError


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


def experiment(
    name: Annotated[str | None, typer.Argument(help="Which; without a name they are listed.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the data set's own files.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds of each arm.")] = 10,
    threads: Threads = "auto",
    out: Folder = None,
) -> None:
    """Replay a published claim, small."""
    from tauten.declare import suggest
    from tauten.experiments import experiments
    from tauten.options import parse_threads

    known = experiments()
    console = Console()
    if name is None:
        listed = Table.grid("", "", padding=(0, 2, 0, 0))
        for key, run in known.items():
            listed.add_row(f"[bold]{key}[/]", (run.__doc__ or "").splitlines()[0])
        console.print(listed)
        return
    if name not in known:
        raise OptionError(f"there is no experiment {name!r}; {suggest(name, known)}.")
    folder = out or Path("runs") / name
    known[name](folder, seeds, data, parse_threads(threads), Console(stderr=True).print)
    typer.echo((folder / "table.md").read_text(encoding="utf-8"))
    console.print(f"Written: {folder}")
