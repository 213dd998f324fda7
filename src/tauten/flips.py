"""Texts that a recipe changes so much that plain's network takes them for another class, for a person to judge.

A network that learns from such a text under its old label learns something wrong, or something new: only a person can
tell. Made of development rows after the holdout's opening; nothing is chosen by them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tauten.augmented import acting, augmented
from tauten.data import Spelling, Table, TextPreprocessor, TextTable
from tauten.folds import Fold
from tauten.heldout import Models
from tauten.recipe import Recipe
from tauten.tensors import one_thread

ROWS, STEPS, SHOWN = 500, 4, 6
"""Development rows that are looked at, steps of training in which each is, and examples that are told."""


def flips(models: Models, whole: Fold, table: Table, recipe: Recipe, seed: int) -> Mapping[str, Any] | None:
    """How often what a recipe's techniques on words make of a text is another class to plain's network, with examples.

    Counted among changed texts of rows that it takes for their own class as they are; those where the probability of
    that class falls most are shown, one of a row. None where rows are no texts of classes or the recipe leaves words as
    they are.
    """
    techniques = tuple(t for t in acting(recipe) if t.data == ("text",))
    learnt = whole.preprocessor(recipe.setting)
    if not (isinstance(table, TextTable) and isinstance(learnt, TextPreprocessor) and table.classes and techniques):
        return None
    model = models["plain"][0]
    rows = torch.from_numpy(np.unique(np.linspace(0, len(table.y) - 1, ROWS).round().astype(np.int64)))
    with one_thread():
        views = [x for x, _ in augmented(techniques, whole.source, rows, seed, range(STEPS))]
        before = model.forward(whole.source.inputs[rows]).softmax(-1)
        after = torch.stack([model.forward(x).softmax(-1) for x in views])
    moved = torch.stack([(x[:, 0] != whole.source.inputs[rows, 0]).any(-1) for x in views])
    own = torch.from_numpy(table.y)[rows]
    right = before.argmax(-1) == own
    flipped = right & (after.argmax(-1) != own)
    fall = (_of(before, own) - _of(after, own)).where(flipped, -torch.inf)
    step = fall.argmax(0)
    worst = [i for i in fall.amax(0).argsort(descending=True, stable=True).tolist() if flipped[:, i].any()][:SHOWN]
    spelling = Spelling(learnt, table.texts)

    def told(x: Tensor, i: int, out: Tensor) -> dict[str, object]:
        best = int(out.argmax())
        words = " ".join(spelling.read(int(rows[i]), x[i, 0].numpy()))
        return {"text": words, "class": table.classes[best], "probability": round(float(out[best]), 4)}

    return {
        "techniques": [t.name for t in techniques],
        "changed": int((right & moved).sum()),
        "flipped": int(flipped.sum()),
        "examples": [
            {
                "label": table.classes[int(own[i])],
                "before": told(whole.source.inputs[rows], i, before[i]),
                "after": told(views[int(step[i])], i, after[int(step[i]), i]),
            }
            for i in worst
        ],
    }


def _of(probabilities: Tensor, own: Tensor) -> Tensor:
    """The probability (…, B) of each row's own class, of (…, B, K)."""
    return probabilities.gather(-1, own.expand(probabilities.shape[:-1]).unsqueeze(-1)).squeeze(-1)
