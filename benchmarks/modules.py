"""Writes docs/modules.md: a network of one's own inspected, searched and trained, from a run's figures.

python benchmarks/modules.py run    does what the page says, keeps the figures
python benchmarks/modules.py page   writes the page of the figures
"""

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import record
from rich.console import Console

from tauten.inspecting import inspect
from tauten.show import summary

ROOT = Path(__file__).parents[1]
EXAMPLES, DOCS = ROOT / "examples", ROOT / "docs" / "modules.md"
NAME, PART = "modules", "digits"
NET, LOOP, DATA = "my_net.py", "my_loop.py", "my_digits.py"
OUT = Path("runs/mine")
INSPECT = "tauten inspect my_net.py:build digits.npz"
SEARCH = "tauten search digits.npz --model my_net.py:build --budget 60s --out runs/mine"
BULKY = ("race", "curves")
WIDTH = 100
PAGE = """# A network of your own

From an `nn.Module` to a recipe in your own training loop, in five steps to paste into an empty folder. This page is
made by `python benchmarks/modules.py page` of what the commands print; {machine}.

## 1. The network

`my_net.py` is an ordinary module with dropout of its own; nothing in it knows of Tauten.

```python
{net}```

## 2. The data

Here the first {rows} of scikit-learn's handwritten digits, images of 8 × 8 pixels, as a NumPy archive. A folder with
one for each class, or a table, would do as well.

```python
{data}```

## 3. Look before training

    {inspect}

{inspected}

What to read in it: whether members train together, which is many times faster on small networks; that dropout acts
at the network's own two dropout layers, at rates of the recipe instead of 0.5; what decays and what does not; and
where each technique would act.

## 4. Search

    {search}

For a minute recipes race, and the best of them are proved; the clock decides how many and for how long. The verdict
comes first, then plain, usual and chosen beside each other, then what each technique gains. The search and the loop of
step 5 took {cpu:.0f} seconds of processor:

{searched}

The recipe is a file to read and to edit, `{out}/recipe.toml`.
{held}:

```toml
{recipe}```

## 5. Your own loop

`my_loop.py` trains the network with a recipe in an ordinary loop: the recipe brings its optimizer, its loss and its
number of epochs along. A technique written into the file by hand acts at once, such as two lines,
`[techniques.rotation]` and `degrees = 15.0`.

```python
{loop}```

    python my_loop.py {out}/recipe.toml

{looped}

One training and {test} test rows are no proof, and these rows are not the holdout of step 4; the verdict there, from
fresh folds and seeds, is. [The architecture](architecture.md) says what can be done with
modules and what can't.
"""
HELD = {
    True: "It holds the techniques and the setting that were found",
    False: "Where nothing is shown to beat plain training, as the verdict *no evidence* says, it holds plain's tuned\n"
    "setting and no technique; the techniques that were nearest stand in the report",
}
"""What recipe.toml holds, where a gain was found and where none was."""


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder with the three files of the page and the data, entered."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as made:
        for name in (NET, LOOP, DATA):
            shutil.copy(EXAMPLES / name, made)
        os.chdir(made)
        try:
            subprocess.run([sys.executable, DATA], check=True)
            yield Path(made)
        finally:
            os.chdir(before)


def run() -> None:
    """Search and train as the page says, in an empty folder."""
    tauten = [sys.executable, "-m", "tauten.cli"]
    with folder() as place:
        subprocess.run([*tauten, *SEARCH.split()[1:]], check=True)
        looped = subprocess.run([sys.executable, LOOP, OUT / "recipe.toml"], check=True, capture_output=True, text=True)
        evidence = json.loads((place / OUT / "result.json").read_text(encoding="utf-8"))
        recipe = (place / OUT / "recipe.toml").read_text(encoding="utf-8")
    busy = resource.getrusage(resource.RUSAGE_CHILDREN)
    evidence = {key: value for key, value in evidence.items() if key not in BULKY}
    record.save(
        NAME,
        PART,
        {"evidence": evidence, "recipe": recipe, "loop": looped.stdout, "cpu": busy.ru_utime + busy.ru_stime},
    )


def page() -> str:
    """The page as the figures have it; what is inspected is looked at anew."""
    found = record.load(NAME)[PART]
    with folder():
        inspected = str(inspect(f"{NET}:build", "digits.npz"))
    printed = io.StringIO()
    summary(Console(file=printed, width=WIDTH), found["evidence"], OUT, "digits.npz")
    rows = found["evidence"]["n_train"] + found["evidence"]["n_holdout"]
    files = {"net": NET, "data": DATA, "loop": LOOP}
    return PAGE.format(
        machine=record.sentence([found]),
        **{key: (EXAMPLES / name).read_text(encoding="utf-8") for key, name in files.items()},
        rows=rows,
        test=rows // 5,
        inspect=INSPECT,
        inspected=_block(inspected),
        search=SEARCH,
        cpu=found["cpu"],
        searched=_block(printed.getvalue()),
        out=OUT,
        recipe=found["recipe"],
        held=HELD[found["evidence"]["verdict"]["name"] != "no evidence"],
        looped=_block(found["loop"]),
    )


def _block(text: str) -> str:
    """As printed, without blanks at the ends of lines."""
    return "\n".join(["```text", *(line.rstrip() for line in text.strip("\n").splitlines()), "```"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "page"])
    if parser.parse_args().what == "run":
        run()
    else:
        DOCS.write_text(page(), encoding="utf-8")
