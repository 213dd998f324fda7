"""Texts beside what a recipe makes of them, for the terminal or as a page."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

from tauten.errors import OptionError
from tauten.technique import Technique
from tauten.text.marks import marked

Words = Sequence[Sequence[str]]
"""The words of each text."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Texts in training</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
p {{ margin: 1.2rem 0 .2rem; }} ul {{ margin: 0; list-style: none; }}</style></head>
<body><h1>Texts beside what training sees of them</h1><p>{techniques}. What is new at its place is marked.</p>
{texts}</body></html>
"""


class TextSheet:
    """Texts (R), what became of them (V, R), both as words, and their labels before and after.

    >>> from tauten.techniques.word_dropout import WordDropout
    >>> views = [[["film"]], [["a", "film"]]]
    >>> sheet = TextSheet([["a", "film"]], views, ["good"], [["good"], ["good"]], (WordDropout(),))
    >>> print(sheet)
    good: a film
      → film
      → (as it is)
    """

    def __init__(
        self,
        originals: Words,
        changed: Sequence[Words],
        labels: Sequence[str],
        changed_labels: Sequence[Sequence[str]],
        techniques: Sequence[Technique],
    ) -> None:
        self.originals, self.changed = originals, changed
        self.labels, self.changed_labels, self.techniques = labels, changed_labels, techniques

    def lines(self) -> list[list[tuple[str, bool]]]:
        """Every line as runs of words with whether they are new: each text, and below it what became of it."""
        found = []
        for i, (before, label) in enumerate(zip(self.originals, self.labels, strict=True)):
            found.append([(f"{label}:", False), *marked(before, before)] if label else marked(before, before))
            for view, labels in zip(self.changed, self.changed_labels, strict=True):
                same = list(view[i]) == list(before)
                runs = [("(as it is)", False)] if same else marked(before, view[i]) or [("(no word is left)", False)]
                other = [(f"{labels[i]}:", True)] if labels[i] != label else []
                found.append([("  →", False), *other, *runs])
        return found

    def __str__(self) -> str:
        return "\n".join(" ".join(words for words, _ in line) for line in self.lines())

    def save(self, path: str | Path) -> None:
        """Write a page (.html) or plain text (.txt); OptionError for another ending."""
        match Path(path).suffix.lower():
            case ".html":
                body = PAGE.format(techniques=html.escape(told(self.techniques)), texts="\n".join(self._items()))
            case ".txt":
                body = f"{self}\n"
            case _:
                raise OptionError(f"--out is {str(path)!r}; texts are written as .html or .txt.")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(body, encoding="utf-8")

    def _items(self) -> Iterator[str]:
        each = 1 + len(self.changed)
        lines = [" ".join(map(_marked, line)) for line in self.lines()]
        for i in range(0, len(lines), each):
            yield f"<p>{lines[i]}</p>\n<ul>" + "".join(f"<li>{line}</li>" for line in lines[i + 1 : i + each]) + "</ul>"


def told(techniques: Sequence[Technique]) -> str:
    """Techniques with their values, as a person reads them."""
    return "; ".join(
        f"{t.name} " + ", ".join(f"{key} {value}" for key, value in t.to_dict().items()) for t in techniques
    )


def _marked(run: tuple[str, bool]) -> str:
    words, new = run
    return f"<mark>{html.escape(words)}</mark>" if new else html.escape(words)
