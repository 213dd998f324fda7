"""The command line: parse, call, show. Bad input is one sentence and exit code 2."""

import sys

import typer
from rich.console import Console

from tauten.cli.catalogue import experiment, techniques
from tauten.cli.decomposing import bias_variance
from tauten.cli.explaining import explain
from tauten.cli.inspecting import inspect
from tauten.cli.measuring import compare, train
from tauten.cli.previewing import preview
from tauten.cli.searching import resume, search
from tauten.cli.using import info, predict
from tauten.errors import UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Finds, applies and proves the regularization of a neural network.",
)
for _command in (
    search,
    resume,
    train,
    predict,
    info,
    inspect,
    preview,
    explain,
    compare,
    bias_variance,
    techniques,
    experiment,
):
    app.command()(_command)


def main() -> None:
    """Entry point of the `tauten` command."""
    try:
        app()
    except UsageError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
