"""Texts whose words, and what may stand in their places, are told apart at sight."""

import torch

from tauten.draws import Draws
from tauten.text.layout import TextLayout
from tauten.wording import reading

LENGTH = 10
LAYOUT = TextLayout(LENGTH, ids=1000, synonyms=2, typos=1, translations=1, features=3)


def texts(words, rows=2000, known=None):
    """`rows` times one text: word i is 1 + i, its synonyms 100 + i and 200 + i where i is known, its typo 300 + i."""
    x = torch.zeros(rows, LAYOUT.planes, LENGTH)
    for i in range(words):
        x[:, 0, i], x[:, 3, i] = 1 + i, 300 + i
        if known is None or i in known:
            x[:, 1, i], x[:, 2, i] = 100 + i, 200 + i
    x[:, 4:] = torch.arange(2.0 * LENGTH).reshape(2, LENGTH)
    return x


def acted(technique, x, seed=0, step=0):
    """What one member's training sees of x at a step; what is no word and no alternative stays."""
    bound = reading(technique.alone(0, torch.device("cpu")), LAYOUT)
    y = torch.zeros(len(x), 2)
    out, targets = bound.batch(x, y, Draws(torch.tensor(seed), torch.tensor(step), technique.name))
    assert targets is y
    assert torch.equal(out[:, LAYOUT.aligned :], x[:, LAYOUT.aligned :])
    assert out.shape == x.shape
    return out


def sentence(row):
    """A row's words as far as there are any; nothing stands behind them."""
    ids = row[0].int().tolist()
    size = len([i for i in ids if i])
    assert not row[: LAYOUT.aligned, size:].any()
    return ids[:size]
