"""What a person sees in the terminal: live progress, and summaries at the end."""

import shlex
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
from rich.console import Console
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from tauten.evidence.verdict import chance
from tauten.metrics import METRICS
from tauten.native.library import describe, library
from tauten.options import parse_budget
from tauten.racing import Standing
from tauten.report.nested import nested as outer_searches
from tauten.report.words import flags
from tauten.searching import Event, Note, Phase, Translating
from tauten.technique import DATA, TASKS, Technique, technique, techniques

PHASES = {
    "translating": "translating the texts there and back",
    "speed": "measuring this machine's speed",
    "race": "racing recipes",
    "finals A": "finals A: choosing among the finalists on fresh folds",
    "finals B": "finals B: chosen against plain and usual, fresh folds and seeds",
    "ablation": "ablation: each ingredient left out, and alone",
    "training": "training every arm on all development rows",
    "holdout": "opening the holdout, once",
    "traits": "comparing how plain and chosen networks behave",
    "outer search": "a whole search without one outer fold, judged on it",
    "resamples": "training on resamples",
    "durations": "early stopping chooses its epoch",
    "folds": "training on folds",
}
VERDICTS = {
    "proved": ("bold green", "PROVED", "the recipe beats plain training, one-sided at 95 %"),
    "likely": ("bold yellow", "LIKELY", "the recipe seems to beat plain training, one-sided at 80 % but not at 95 %"),
    "no evidence": ("bold red", "NO EVIDENCE", "nothing found beats plain training beyond chance; the answer is plain"),
}


class Live:
    """Progress while a run goes on: one line that changes on a terminal, a line a phase elsewhere."""

    def __init__(self, console: Console, budget: str | None, folder: Path | None = None) -> None:
        self._console, self._budget = console, parse_budget(budget) if budget else None
        self._folder = folder
        self._begin, self._phase, self._done = time.monotonic(), "", 0
        self._standing: Standing | Translating | None = None
        self._live = RichLive(console=console, get_renderable=self._line, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        if kind is KeyboardInterrupt and self._folder:
            self._console.print(f"stopped; go on with: tauten resume {self._folder}", markup=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Phase):
            if isinstance(self._standing, Standing) and self._phase == "race":
                self._console.print(self._raced(), highlight=False)
            self._phase, self._done = event.name, 0
            self._console.print(f"{event.seconds:6.1f} s  {PHASES[event.name]}", highlight=False)
        elif isinstance(event, Note):
            self._console.print(Text(f"note: {event.text}", style="yellow"), soft_wrap=True)
        elif isinstance(event, Standing | Translating):
            self._standing = event
        else:
            self._done += event.gradient_evaluations

    def _raced(self) -> str:
        s = self._standing
        assert isinstance(s, Standing)
        best = " + ".join(s.best_recipe) or "plain"
        return (
            f"          {s.entered} recipes entered, {s.left} raced out, {s.finished} trained to the end; "
            f"best so far {best} ({s.metric} {s.best:.4g})"
        )

    def _line(self) -> Text:
        spent = time.monotonic() - self._begin
        left = (
            f"{max(self._budget - spent, 0):.0f} s of {self._budget:.0f} s left" if self._budget else f"{spent:.0f} s"
        )
        if self._phase == "translating" and isinstance(self._standing, Translating):
            return Text(f"{left} · {self._standing}")
        if self._phase == "race" and isinstance(self._standing, Standing):
            return Text(f"{left} · {self._standing.training} members training ·{self._raced().strip().rjust(1)}")
        return Text(f"{left} · {self._done:,} gradient evaluations")


def engine_note(console: Console, model: str | None) -> None:
    """One line where built-in networks train slower than they could."""
    if model is None and library() is None:
        console.print(Text(f"note: {describe()}", style="yellow"), soft_wrap=True)


def summary(console: Console, evidence: Mapping[str, Any], folder: Path, source: str) -> None:
    """The end of a search: verdict, recipe, three arms, what each ingredient gained and cost, what to type next."""
    style, word, meaning = VERDICTS[evidence["verdict"]["name"]]
    console.print()
    console.print(Text.assemble((word, style), f": {meaning}."))
    console.print(Text(evidence["verdict"]["sentence"]), soft_wrap=True)
    console.print()
    console.print(arms(evidence))
    console.print(Text(evidence["agreement"]["sentence"]), soft_wrap=True)
    procedure(console, evidence)
    if evidence["ablation"]:
        console.print()
        console.print(_ingredients(evidence))
        console.print(f"Training the recipe takes {evidence['train_seconds_ratio']:.2f} × the time of plain.")
    notes(console, evidence)
    console.print(Text(f"\n{time_spent(evidence)}"), soft_wrap=True)
    said = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    said(f"Report: {folder}/report.html   Recipe: {folder}/recipe.toml   Figures: {folder}/result.json")
    console.print("Next:", style="bold")
    said(f"  tauten predict {shlex.quote(str(folder))} DATA -o predictions.csv")
    said(f"  tauten compare {shlex.quote(source)}{flags(evidence)} --recipe {folder}/recipe.toml --recipe plain")
    said(f'  in your own loop: tauten.Recipe.load("{folder}/recipe.toml").attach(model, …)')


def notes(console: Console, figures: Mapping[str, Any]) -> None:
    """What a person should know of these figures, less what is printed beside them."""
    said = figures.get("agreement", {}).get("sentence")
    for warning in figures["warnings"]:
        if warning != said:
            console.print(Text(f"note: {warning}", style="yellow"), soft_wrap=True)


def procedure(console: Console, evidence: Mapping[str, Any]) -> None:
    """What outer searches say of the procedure, where there were any."""
    lines = outer_searches(evidence)
    if lines:
        console.print("\nWhat the procedure is worth:", style="bold")
        for line in lines:
            console.print(Text(f"  {line}"), soft_wrap=True)


def time_spent(evidence: Mapping[str, Any]) -> str:
    """How the time was split, and what it was used for."""
    seconds, race, budget = evidence["seconds"], evidence["race_seconds"], evidence["budget"]
    parts = ", ".join(f"{name} {own:.1f}" for name, own in seconds.items() if name != "total")
    nested = evidence.get("nested")
    of = f" and {nested['seconds']:.1f} s of outer searches" if nested else ""
    of += f" of {budget:.0f} s" if budget else ""
    return (
        f"{seconds['total']:.1f} s{of} ({parts}); in the race the engine trained for {race['training']:.1f} s and "
        f"waited for {race['waiting']:.1f} s, and the sampler took {race['asking']:.1f} s beside it; "
        f"{evidence['trials']} recipes raced, {evidence['gradient_evaluations']:,} gradient evaluations."
    )


def measured(console: Console, figures: Mapping[str, Any]) -> None:
    """The end of `train` and `compare`: cross-validated figures, and paired differences."""
    main = figures["metric"]
    table = Table(
        title=f"{figures['rows']:,} rows, {figures['replicates']} replicates of cross-validation, 95 % intervals"
    )
    table.add_column("")
    for label in figures["recipes"]:
        table.add_column(label, justify="right", overflow="fold")
    recipes = list(figures["recipes"].values())
    for name in recipes[0]["scores"]:
        table.add_row(
            name, *(_interval(own["scores"][name], "\n") for own in recipes), style="bold" if name == main else ""
        )
    table.add_row("epochs trained", *(str(own["epochs_trained"]) for own in recipes))
    console.print(table)
    for label, d in figures["differences"].items():
        gain = f"gain in {main} {d['mean']:+.4f} ({d['low']:+.4f} to {d['high']:+.4f})"
        said = f"{label} over {d['over']}: {gain}, positive is better, {chance(d['mean'], d['p'])}: {d['verdict']}"
        console.print(Text(said), soft_wrap=True)
    notes(console, figures)


def predicted(console: Console, table: pd.DataFrame, out: Path, level: float | None) -> None:
    """The end of `predict`: how many of what."""
    own = table["prediction"]
    if level is not None:
        half = (table["high"] - table["low"]).iloc[0] / 2
        share = f"{100 * level:.4g} % of all targets lie within ± {half:.4g}"
        text = f"between {own.min():.4g} and {own.max():.4g}; {share}"
    elif own.dtype.kind == "f":
        text = f"between {own.min():.4g} and {own.max():.4g}"
    else:
        text = ", ".join(f"{name} {count}" for name, count in own.value_counts().head(10).items())
    console.print(Text(f"{len(table)} rows predicted: {text}."), soft_wrap=True)
    console.print(f"Written: {out}", markup=False, soft_wrap=True)


def catalogue(console: Console) -> None:
    """All techniques, a line each."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("technique", "what it does", "values (card's value)"):
        table.add_column(column)
    for name, kind in techniques().items():
        values = ", ".join(f"{k} ({spec.default})" for k, spec in kind.specs().items())
        table.add_row(Text(name, style="bold"), (kind.__doc__ or "").splitlines()[0], values)
    console.print(table)


def card(console: Console, name: str) -> None:
    """One technique in full."""
    kind = technique(name)
    console.print(Text(name, style="bold"), Text(f"  ({kind.paper})", style="dim"), soft_wrap=True)
    console.print(Text("\n".join(line.strip() for line in (kind.__doc__ or "").splitlines())), soft_wrap=True)
    console.print()
    for key, spec in kind.specs().items():
        console.print(Text(f"  {key} = {spec.default}   {spec.doc}; {spec.describe()}"), soft_wrap=True)
    console.print()
    console.print(Text(kind.card), soft_wrap=True)
    if _only(kind):
        console.print(_only(kind))
    if kind.excludes:
        console.print(f"Not together with: {', '.join(kind.excludes)}")


def markdown() -> str:
    """The catalogue as a page: every technique's card."""
    lines = [
        "# Techniques",
        "",
        "Made by `tauten techniques --markdown`. Each card stands in the technique's own file.",
    ]
    for name, kind in techniques().items():
        about = " ".join((kind.__doc__ or "").split())
        lines += ["", f"## {name}", "", about, "", f"*Source:* {kind.paper}.", "", kind.card, ""]
        lines += [_only(kind), ""] if _only(kind) else []
        lines += ["| value | card | meaning | bounds |", "|---|---|---|---|"]
        lines += [f"| `{k}` | {spec.default} | {spec.doc} | {spec.describe()} |" for k, spec in kind.specs().items()]
    return "\n".join(lines) + "\n"


def _only(kind: type[Technique]) -> str:
    """Tasks and kinds of data, of a technique that is not for all."""
    some = [own for own, every in ((kind.tasks, TASKS), (kind.data, DATA)) if own != every]
    return f"For {' and for '.join(' and '.join(own) for own in some)} only." if some else ""


def arms(evidence: Mapping[str, Any]) -> Table:
    """Plain, usual and chosen: their figures on fresh folds and on the holdout."""
    main = evidence["metric"]
    second = next((m for m in ("accuracy", "mae") if m in evidence["plain"]["finals"] and m != main), None)
    rows = f"{evidence['n_train']:,} rows to search and prove, {evidence['n_holdout']:,} held out"
    table = Table(title=f"{rows}; 95 % intervals")
    table.add_column("")
    shown = [main, *([second] if second else [])]
    for words in ("fresh folds", "held out"):
        for name in shown:
            more = evidence["greater_is_better"] if name == main else METRICS[name].greater_is_better
            better = "higher" if more else "lower"
            label = f"{name.replace('_', ' ')}, {words}"  # spaces let it wrap
            table.add_column(f"{label}\n({better} is better)", justify="right")
    for arm in ("plain", "usual", "chosen"):
        cells = [_interval(evidence[arm][part][name], "\n") for part in ("finals", "holdout") for name in shown]
        table.add_row(Text(arm, style="bold" if arm == "chosen" else ""), *cells)
    return table


def _ingredients(evidence: Mapping[str, Any]) -> Table:
    title = f"Ingredients: what each gains in {evidence['metric']}, positive is better (simultaneous 95 % intervals)"
    table = Table(title=title)
    for column in ("technique", "with it, against the recipe without", "alone, against plain"):
        table.add_column(column)
    values = evidence["chosen"]["techniques"]
    for row in evidence["ablation"]:
        name = row["technique"]
        own = ", ".join(f"{k} = {v:.3g}" if isinstance(v, float) else f"{k} = {v}" for k, v in values[name].items())
        gains = (f"{g['gain']:+.4f} ({g['low']:+.4f} to {g['high']:+.4f})" for g in (row["without"], row["alone"]))
        table.add_row(f"[bold]{name}[/] ({own})", *gains)
    return table


def _interval(figure: Mapping[str, Any], between: str = " ") -> str:
    if figure["low"] is None:
        return f"{figure['mean']:.4f}"
    return f"{figure['mean']:.4f}{between}({figure['low']:.4f} to {figure['high']:.4f})"
