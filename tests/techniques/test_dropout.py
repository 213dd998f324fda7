import pytest
import torch
from scipy import stats

from tauten.draws import Draws
from tauten.engines.stacked import Stacked
from tauten.errors import RecipeError
from tauten.member import Member
from tauten.nets.base import Pass
from tauten.recipe import Recipe
from tauten.techniques.dropout import Dropout
from tauten.testing import engine_for, problem, small_setting


def draws(step=0, seeds=(1, 2, 3)):
    return Draws(torch.tensor(seeds), torch.full((len(seeds),), step), "here")


def stack_of(p, form="inverted"):
    return Dropout(form=form).with_values({"p": torch.tensor(p)})


P = [0.1, 0.5, 0.9]


def test_each_member_drops_at_its_own_rate_and_scales_what_it_keeps():
    h = torch.randn(3, 100, 50, generator=torch.Generator().manual_seed(0))
    out = stack_of(P).activation(h, draws())
    for i, p in enumerate(P):
        kept = out[i] != 0
        assert stats.binomtest(int((~kept).sum()), h[i].numel(), p).pvalue > 0.001
        torch.testing.assert_close(out[i][kept], h[i][kept] / (1 - p))


def test_classic_keeps_units_as_they_are():
    h = torch.randn(3, 100, 50, generator=torch.Generator().manual_seed(0))
    out = stack_of(P, "classic").activation(h, draws())
    assert torch.equal(out[out != 0], h[out != 0])
    assert torch.equal(out != 0, stack_of(P).activation(h, draws()) != 0)


def test_every_step_and_every_row_has_its_own_mask():
    h = torch.ones(3, 30, 64)
    masks = torch.cat([stack_of([0.5] * 3).activation(h, draws(step)) for step in range(4)], 1).flatten(0, 1)
    assert len({tuple(row.tolist()) for row in masks}) == len(masks)


@pytest.mark.parametrize("form", ["inverted", "classic"])
def test_training_equals_evaluation_in_expectation(form):
    h = torch.linspace(-2, 3, 40).expand(1, 8000, 40)
    technique = stack_of([0.3], form)
    mean = technique.activation(h, draws(seeds=(5,)))[0].mean(0)
    want = technique.inference(h)[0, 0]
    # The standard error of a mean of 8,000 masks of |h| ≤ 3 is below 0.025.
    torch.testing.assert_close(mean, want, rtol=0, atol=0.1)
    assert torch.equal(want, h[0, 0]) == (form == "inverted")


def test_evaluation_of_inverted_is_the_identity_and_of_classic_the_keep_probability():
    h = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(stack_of(P).inference(h), h)
    torch.testing.assert_close(stack_of(P, "classic").inference(h), h * torch.tensor([0.9, 0.5, 0.1]).reshape(3, 1, 1))


def test_a_value_per_layer_acts_on_that_layer():
    technique = Dropout(p=(0.0, 0.8))
    members = Dropout.stack([technique, Dropout(p=0.4), None], 2, torch.device("cpu"))
    torch.testing.assert_close(members["p"], torch.tensor([[0.0, 0.8], [0.4, 0.4], [0.0, 0.0]]))
    at = Pass((technique.with_values(members),), draws())
    h = torch.ones(3, 200, 50)
    first, second = ((at.activated(h) == 0).float().mean((1, 2)) for _ in range(2))
    torch.testing.assert_close(first, torch.tensor([0.0, 0.4, 0.0]), rtol=0, atol=0.03)
    torch.testing.assert_close(second, torch.tensor([0.8, 0.4, 0.0]), rtol=0, atol=0.03)


def test_layers_draw_different_masks():
    at = Pass((Dropout().with_values({"p": torch.full((3, 2), 0.5)}),), draws())
    h = torch.ones(3, 20, 50)
    assert not torch.equal(at.activated(h), at.activated(h))


def test_a_list_of_the_wrong_length_is_refused_before_anything_is_placed():
    source, recipe = problem(20, 3, 2, "classification"), Recipe((Dropout(p=(0.1, 0.2, 0.3)),), small_setting(8, 2))
    engine = engine_for(Member(0, recipe, 1), [source], Stacked())
    with pytest.raises(RecipeError, match=r"dropout\.p has 3 values and the network has 2 places for it"):
        engine.admit([Member(0, recipe, 1)])


def test_a_recipe_holds_one_form():
    with pytest.raises(RecipeError, match="dropout stands twice"):
        Recipe((Dropout(form="inverted"), Dropout(form="classic")))
    with pytest.raises(RecipeError, match=r"dropout\.form is 'both'"):
        Dropout(form="both")
