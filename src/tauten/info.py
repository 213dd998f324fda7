"""`tauten info`: one screen on a run, from its result.json alone."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tauten.show import VERDICTS, arms, measured, notes, procedure, time_spent


def about(console: Console, figures: Mapping[str, Any], folder: Path) -> None:
    """What a run found: of a search its verdict, recipe and arms; of a training its figures."""
    if "verdict" not in figures:
        measured(console, figures)
        console.print(Text(f"{figures['seconds']:.1f} s"))
        return
    style, word, meaning = VERDICTS[figures["verdict"]["name"]]
    console.print(Text.assemble((word, style), f": {meaning}."), soft_wrap=True)
    console.print(Text(figures["verdict"]["sentence"]), soft_wrap=True)
    for name, text in _lines(figures, folder).items():
        console.print(Text.assemble((f"{name:<9}", "bold"), text), soft_wrap=True)
    console.print(arms(figures))
    console.print(Text(figures["agreement"]["sentence"]), soft_wrap=True)
    procedure(console, figures)
    notes(console, figures)


def _lines(figures: Mapping[str, Any], folder: Path) -> dict[str, str]:
    kind = figures["task"] if not figures["classes"] else f"{figures['classes']} classes"
    rows = figures["n_train"] + figures["n_holdout"]
    setting = ", ".join(f"{key} {_value(value)}" for key, value in figures["setting"].items())
    network = "a module of your own" if figures["network"] == "module" else f"built-in {figures['network']}"
    threads = "1 thread" if figures["threads"] == 1 else f"{figures['threads']} threads"
    said = "".join(f"; {name.replace('_', ' ')} {text}" for name, text in figures["reading"].items())
    said += f"; class weight {figures['class_weight']}" if figures.get("class_weight") else ""
    return {
        "Data": f"{figures['source']}, target {figures['target']} ({kind}): {rows:,} rows of {figures['columns']} "
        f"columns, {figures['n_holdout']:,} of them held out; {figures['folds']} folds{said}",
        "Recipe": _recipe(figures["recipe"]),
        "Setting": f"{setting}; trained for {figures['epochs_trained']} epochs",
        "Time": time_spent(figures),
        "Run": f"{network}, {figures['engine']}, {figures['precision']}, {threads}, "
        f"seed {figures['seed']}; " + ", ".join(f"{name} {own}" for name, own in figures["versions"].items()),
        "Next": f"tauten predict {shlex.quote(str(folder))} DATA -o predictions.csv",
    }


def _recipe(techniques: Mapping[str, Mapping[str, Any]]) -> str:
    own = [
        f"{name} ({', '.join(f'{key} {_value(value)}' for key, value in values.items())})" if values else name
        for name, values in techniques.items()
    ]
    return " + ".join(own) or "plain"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
