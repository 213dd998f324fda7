"""A contact sheet: images beside what a recipe makes of them in training, so that a person sees a 6 become a 9."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tauten.data import Arrays, Layout
from tauten.draws import Draws
from tauten.engines.step import changed
from tauten.errors import OptionError
from tauten.folds import encode
from tauten.member import Source, one_hot
from tauten.options import Options
from tauten.partners import in_order
from tauten.recipe import Recipe
from tauten.sources import table_of
from tauten.technique import Technique

SITES = frozenset({"warp", "batch"})
LEAST = 0.005
"""A class of less than this share is not named beside a picture."""


def views(X: Any, y: Any = None, *, recipe: Recipe, rows: int = 8, count: int = 6, seed: int = 0) -> "Sheet":
    """`rows` images, as many of each class as there are, each as `count` training steps would show them.

    X and y as in `search`, images alone. The transformations are those of training, drawn by its draws, in batches of
    these rows. OptionError where there are no images, or the recipe leaves them as they are.

    >>> from sklearn.datasets import load_digits
    >>> from tauten.techniques.rotation import Rotation
    >>> digits = load_digits()
    >>> sheet = views(digits.images[:, None], digits.target, recipe=Recipe((Rotation(degrees=30.0),)), rows=3)
    >>> sheet.originals.shape, sheet.changed.shape
    ((3, 1, 8, 8), (6, 3, 1, 8, 8))
    """
    table = table_of(X, y, None, Options(trials=3))
    if not isinstance(table, Arrays) or table.values.ndim != 4:
        raise OptionError(
            f"{table.name} holds no images; preview takes images as search does, such as a folder of pictures."
        )
    acting = in_order(t for t in recipe.techniques if t.hooks & SITES)
    if not acting:
        held = " + ".join(recipe.names) or "no technique"
        raise OptionError(f"the recipe has {held}, which leaves images as they are; name one with such as rotation.")
    if rows < 1 or count < 1:
        raise OptionError(f"rows is {rows} and views {count}; both must be 1 or more.")
    chosen = _spread(table, rows)
    learnt = table.learnt(np.arange(len(table.y)), Layout(()))
    targets = encode(table, None) if table.task != "regression" else torch.zeros(len(table.y), 1)
    all_inputs = torch.from_numpy(learnt.transform(table.values))
    source = Source(all_inputs, targets, torch.arange(len(all_inputs)), table.task, channels=(learnt.mean, learnt.std))
    known, x = [t.learn(targets) | t.pixels(*source.pixels) for t in acting], all_inputs[chosen]
    bound = [t.alone(0, targets.device).with_values(own) for t, own in zip(acting, known, strict=True)]
    mean, std = (np.reshape(v, (-1, 1, 1)) for v in (learnt.mean, learnt.std))
    shown, told = [], []
    for view in range(count):
        draws = Draws(torch.tensor(seed), torch.tensor(view), "step")
        inputs, soft, _ = changed(tuple(bound), draws, x, targets[chosen])
        shown.append(inputs.numpy() * std + mean)
        told.append(_labels(soft, table.classes))
    return Sheet(table.values[chosen], np.stack(shown), _labels(targets[chosen], table.classes), told, acting)


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
        values = "; ".join(
            f"{t.name} " + ", ".join(f"{key} {value}" for key, value in t.to_dict().items()) for t in self.techniques
        )
        figure.suptitle(f"left: as they are; beside: {values}", fontsize=8)
        figure.savefig(path, dpi=150)


def _spread(table: Arrays, rows: int) -> npt.NDArray[np.int64]:
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
