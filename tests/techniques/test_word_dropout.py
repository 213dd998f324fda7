import pytest
import torch

from tauten.draws import Draws
from tauten.errors import ContractError, RecipeError
from tauten.recipe import Recipe
from tauten.techniques.word_dropout import WordDropout
from tauten.testing import problem
from tauten.wording import reading

SOURCE = problem(200, 16, 2, "classification", data="text")


def dropped(p, seed=0):
    technique = reading(WordDropout(p=p).alone(0, torch.device("cpu")), SOURCE.layout)
    x, y = technique.batch(SOURCE.inputs, SOURCE.targets, Draws(torch.tensor(seed), torch.tensor(0), "test"))
    assert y is SOURCE.targets
    return x


def test_a_share_p_of_the_words_goes_with_all_that_speaks_of_its_place():
    x, words = dropped(0.3), SOURCE.inputs[:, 0] > 0
    gone = words & (x[:, 0] == 0)
    assert gone.sum() / words.sum() == pytest.approx(0.3, abs=3 * (0.21 / int(words.sum())) ** 0.5)
    aligned = SOURCE.layout.aligned
    assert not x[:, :aligned].movedim(1, -1)[gone].any()
    kept = ~gone.unsqueeze(1) & words.unsqueeze(1)
    assert torch.equal(torch.where(kept, x[:, :aligned], 0.0), torch.where(kept, SOURCE.inputs[:, :aligned], 0.0))


def test_translations_and_numbers_stay():
    x, aligned = dropped(0.9), SOURCE.layout.aligned
    assert torch.equal(x[:, aligned:], SOURCE.inputs[:, aligned:])


def test_other_seeds_drop_other_words_and_off_drops_none():
    assert not torch.equal(dropped(0.3), dropped(0.3, seed=1))
    assert torch.equal(dropped(0.0), SOURCE.inputs)


def test_it_is_refused_where_rows_are_no_text():
    module = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
    run = Recipe((WordDropout(),)).attach(module, task="classification", classes=2)
    with pytest.raises(RecipeError, match=r"word_dropout is for text and these are tables of shape \(4,\)"):
        run.loss(torch.ones(8, 4), torch.zeros(8, dtype=torch.int64))
    with pytest.raises(ContractError, match="declare data="):
        WordDropout().batch(torch.ones(2, 4), torch.ones(2, 1), Draws(torch.tensor(0), torch.tensor(0), "test"))
