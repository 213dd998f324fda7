"""Rows beside what a recipe makes of them in training, so that a person sees a 6 become a 9, or praise a complaint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tauten.api import make_options
from tauten.augmented import acting, augmented
from tauten.data import ArrayPreprocessor, Arrays, Spelling, Table, TextPreprocessor, TextTable
from tauten.errors import OptionError
from tauten.folds import Development
from tauten.member import one_hot
from tauten.partners import check_fit
from tauten.recipe import Recipe
from tauten.sources import table_of
from tauten.split import SelectionPlan
from tauten.supplies import for_recipes
from tauten.technique import Technique
from tauten.textsheet import TextSheet, told
from tauten.translating import Given, translator_of, with_translations

LEAST = 0.005
"""A class of less than this share is not named beside a row."""
CURES = {
    "images": "leaves images as they are; name one with such as rotation",
    "text": "leaves texts as they are; name one with such as word_dropout",
}


def views(
    X: Any,
    y: Any = None,
    *,
    recipe: Recipe,
    rows: int = 8,
    count: int = 6,
    seed: int = 0,
    target: str | Sequence[str] | None = None,
    translator: Given | None = None,
    **options: Any,
) -> "Sheet | TextSheet":
    """`rows` images or texts, as many of each class as there are, each as `count` training steps would show them.

    X, y, `target`, `translator` and options as in `search`; of images, images alone. The transformations are those of
    training, drawn by its draws, in batches of these rows. OptionError where there are neither images nor texts, or the
    recipe leaves them as they are.

    >>> from sklearn.datasets import load_digits
    >>> from tauten.techniques.rotation import Rotation
    >>> digits = load_digits()
    >>> sheet = views(digits.images[:, None], digits.target, recipe=Recipe((Rotation(degrees=30.0),)), rows=3)
    >>> sheet.originals.shape, sheet.changed.shape
    ((3, 1, 8, 8), (6, 3, 1, 8, 8))
    """
    asked = make_options(trials=3, **options)
    table, techniques = table_of(X, y, target, asked), acting(recipe)
    if table.data not in CURES:
        raise OptionError(
            f"{table.name} holds no images, and no column is named as text; preview takes images or texts as search "
            "does, such as a folder of pictures."
        )
    if not techniques:
        held = " + ".join(recipe.names) or "no technique"
        raise OptionError(f"the recipe has {held}, which {CURES[table.data]}.")
    if rows < 1 or count < 1:
        raise OptionError(f"rows is {rows} and views {count}; both must be 1 or more.")
    table, chosen = for_recipes(table, [recipe], asked), _spread(table, rows)
    table = with_translations(table, asked, translator_of(translator), lambda _: None, chosen)
    whole = Development.of(table, SelectionPlan(1, 1)).whole()
    source, learnt = whole.source, next(iter(whole.preprocessors.values()))
    check_fit(techniques, table.task, table.data, source.layout)
    seen = augmented(techniques, source, torch.from_numpy(chosen), seed, range(count))
    labels, after = _labels(source.targets[chosen], table.classes), [_labels(soft, table.classes) for _, soft in seen]
    if isinstance(table, TextTable):
        assert isinstance(learnt, TextPreprocessor)
        spelling = Spelling(learnt, table.texts)
        texts = [_words(spelling, chosen, x) for x in (source.inputs[chosen], *(x for x, _ in seen))]
        return TextSheet(texts[0], texts[1:], labels, after, techniques)
    assert isinstance(table, Arrays)
    assert isinstance(learnt, ArrayPreprocessor)
    mean, std = (np.reshape(v, (-1, 1, 1)) for v in (learnt.mean, learnt.std))
    shown = np.stack([x.numpy() * std + mean for x, _ in seen])
    return Sheet(table.values[chosen], shown, labels, after, techniques)


def _words(spelling: Spelling, rows: npt.NDArray[np.int64], x: Tensor) -> list[list[str]]:
    return [spelling.read(int(row), own[0].numpy()) for row, own in zip(rows, x, strict=True)]


class Sheet:
    """Images (R, C, H, W), what became of them (V, R, C, H, W) in the units of the originals, and their labels."""

    def __init__(
        self,
        originals: npt.NDArray[Any],
        changed: npt.NDArray[Any],
        labels: Sequence[str],
        changed_labels: Sequence[Sequence[str]],
        techniques: Sequence[Technique],
    ) -> None:
        self.originals, self.changed = originals, changed
        self.labels, self.changed_labels, self.techniques = labels, changed_labels, techniques

    def save(self, path: str | Path) -> None:
        """Draw it as a picture, a row an image; labels are named where they are mixed."""
        from matplotlib.figure import Figure

        rows, columns = len(self.originals), 1 + len(self.changed)
        figure = Figure(figsize=(1.1 * columns, 1.25 * rows + 0.5), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
        low, high = float(self.originals.min()), float(self.originals.max())
        for i, line in enumerate(panels):
            pictures = [self.originals[i], *(view[i] for view in self.changed)]
            words = [self.labels[i], *(own[i] for own in self.changed_labels)]
            for k, (panel, picture, word) in enumerate(zip(line, pictures, words, strict=True)):
                scaled = np.clip((np.moveaxis(picture, 0, -1) - low) / max(high - low, 1e-9), 0, 1)
                shown = scaled[..., 0] if scaled.shape[-1] < 3 else scaled[..., :3]
                panel.imshow(shown, cmap="gray", vmin=0, vmax=1)
                panel.set_axis_off()
                if not k or word != self.labels[i]:
                    panel.set_title(word, fontsize=7, loc="left", pad=2)
        figure.suptitle(f"left: as they are; beside: {told(self.techniques)}", fontsize=8)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _spread(table: Table, rows: int) -> npt.NDArray[np.int64]:
    """The first rows of each class in turn; of a regression, the first rows."""
    if table.task != "classification":
        return np.arange(min(rows, len(table.y)))
    turn = np.empty(len(table.y), dtype=np.int64)
    for code in range(len(table.classes)):
        own = np.flatnonzero(table.y == code)
        turn[own] = np.arange(len(own))
    return np.sort(np.lexsort((table.y, turn))[:rows])


def _labels(targets: Tensor, classes: Sequence[str]) -> list[str]:
    """The class of each row, or the classes with their shares where it has several."""
    if not classes:
        return [""] * len(targets)
    return [_label(row, classes) for row in targets]


def _label(row: Tensor, classes: Sequence[str]) -> str:
    first, *others = map(int, row.argsort(descending=True).tolist())
    if torch.equal(row, one_hot([first], len(row))[0]):
        return classes[first]
    return " ".join(f"{classes[i]} {row[i]:.2f}" for i in (first, *others[:1]) if row[i] >= LEAST)
