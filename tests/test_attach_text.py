"""Techniques on words in a loop of one's own: the weights of a population's member, and what can't be had there."""

import itertools
import math

import pytest
import torch
from torch import nn

from tauten.draws import Draws
from tauten.engines.single import Single
from tauten.engines.slots import Resident, SlotEngine
from tauten.errors import DataError, OptionError, RecipeError
from tauten.member import Group, Member, Source, one_hot
from tauten.nets.module import ModuleNet
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import technique
from tauten.text.layout import TextLayout

ROWS, BATCH, SEED, IDS, LENGTH, STEPS = 60, 16, 5, 40, 12, 20
ON_WORDS = ("word_dropout", "random_deletion", "random_swap", "span_cutoff", "embedding_dropout")
CLASSES = {"task": "classification", "classes": 3}


class Words(nn.Module):
    """Word vectors, averaged, with dropout and a linear layer."""

    def __init__(self):
        super().__init__()
        self.vectors, self.out = nn.Embedding(IDS, 8, padding_idx=0), nn.Linear(8 * LENGTH, 3)
        self.dropout = nn.Dropout(0.1)

    def forward(self, ids):
        assert not ids.is_floating_point()
        return self.out(self.dropout(torch.relu(self.vectors(ids))).flatten(1))


@pytest.fixture(scope="module")
def texts():
    """Ids (n, L), 0 behind the last word of each text, and class codes."""
    g = torch.Generator().manual_seed(3)
    x = torch.randint(1, IDS, (ROWS, LENGTH), generator=g)
    ends = torch.randint(2, LENGTH + 1, (ROWS, 1), generator=g)
    return torch.where(torch.arange(LENGTH) < ends, x, 0), torch.randint(3, (ROWS,), generator=g)


def recipe(*names):
    return Recipe(tuple(technique(name)() for name in names), Setting(batch_size=BATCH, epochs=9, learning_rate=2**-6))


@pytest.mark.parametrize("names", [*((name,) for name in ON_WORDS), (*ON_WORDS, "dropout", "ema")])
def test_the_weights_are_those_of_a_populations_member(texts, names):
    x, y = texts
    source = Source(
        x.unsqueeze(1).float(), one_hot(y, 3), torch.arange(ROWS), "classification", layout=TextLayout(LENGTH, IDS)
    )
    member = Member(0, recipe(*names), SEED)
    group, net = Group.of(member, source), ModuleNet(Words, source.inputs[:2], layout=source.layout)
    engine = SlotEngine(group, net, Resident([source]), Single(), 1)
    engine.admit([member])
    engine.run(STEPS)
    model, (w, buffers) = Words(), net.init([SEED])
    model.load_state_dict({k: v[0] for k, v in (w | buffers).items()})
    run = recipe(*names).attach(model, **CLASSES, steps_per_epoch=group.epoch_steps, seed=SEED, words=IDS)
    laps = (Draws(torch.tensor(SEED), torch.tensor(lap), "order").permutation(ROWS) for lap in itertools.count())
    stream = torch.cat(list(itertools.islice(laps, math.ceil(STEPS * BATCH / ROWS))))
    for rows in stream[: STEPS * BATCH].split(BATCH):
        run.loss(x[rows], y[rows]).backward()
        run.step()
    got, want = run.deliver().state_dict(), engine.extract(0)
    for name, tensor in (want.w | want.buffers).items():
        torch.testing.assert_close(got[name], tensor, rtol=0, atol=1e-5)
    plain = {k: v[0] for k, v in w.items()}
    assert not torch.equal(got["vectors.weight"], plain["vectors.weight"])


WRONG = {
    "ids and no number of them": (
        "word_dropout", {}, None, RecipeError, r"is for text and these are tables of shape \(12,\); pass words, the num"
    ),
    "synonyms": (
        "synonym_replacement", {"words": IDS}, None, RecipeError,
        r"takes synonyms of the texts, which a search looks up and ids alone don't tell; take recipe\.without",
    ),
    "noise on ids": (
        "input_noise", {"words": IDS}, None, RecipeError, r"input_noise is for tables and images and these are text"
    ),
    "too few words": ("word_dropout", {"words": 1}, None, OptionError, "words is 1; it must be the number of ids"),
    "an id beyond": ("word_dropout", {"words": 30}, None, DataError, r"x holds the id 39; with words = 30 ids go from"),
    "texts that are no ids": (
        "word_dropout", {"words": IDS}, lambda x: x.float(), DataError, r"shape \(60, 12\) and torch\.float32; texts"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told_in_a_sentence_before_any_training(texts, case):
    name, options, change, error, words = WRONG[case]
    x, y = texts
    with pytest.raises(error, match=words):
        recipe(name).attach(Words(), **CLASSES, **options).loss(change(x) if change else x, y)
