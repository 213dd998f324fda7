import pytest
import torch
import torch.nn.functional as F

from tauten.draws import Draws
from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.testing import engine_for, problem, small_setting

NO_DRAWS = Draws(torch.tensor(0), torch.tensor(0), "unused")


def smoothed(technique, y):
    x = torch.zeros(len(y), 1)
    out, y = technique.batch(x, torch.tensor(y), NO_DRAWS)
    assert out is x
    return y


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("classes", [2, 5])
def test_the_training_loss_is_torchs_cross_entropy(epsilon, classes):
    source = problem(40, 6, classes, "classification")
    recipe = Recipe((LabelSmoothing(epsilon=epsilon),), small_setting(1, 0, batch_size=64))
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    out = engine.evaluate({0: source.train})[0]
    want = F.cross_entropy(out, source.targets[source.train].argmax(-1), label_smoothing=epsilon)
    assert abs(engine.run(1)[0] - float(want)) < 1e-6


def test_over_the_others_as_in_the_assignment():
    torch.testing.assert_close(
        smoothed(LabelSmoothing(epsilon=0.1, over="others"), [[0.0, 1.0, 0.0]]), torch.tensor([[0.05, 0.9, 0.05]])
    )


def test_over_all_by_hand():
    torch.testing.assert_close(
        smoothed(LabelSmoothing(epsilon=0.3), [[0.0, 1.0, 0.0]]), torch.tensor([[0.1, 0.8, 0.1]])
    )


@pytest.mark.parametrize("over", ["all", "others"])
def test_soft_labels_stay_probabilities(over):
    y = torch.softmax(torch.randn(50, 7, generator=torch.Generator().manual_seed(0)), -1)
    out = smoothed(LabelSmoothing(epsilon=0.4, over=over), y.tolist())
    torch.testing.assert_close(out.sum(-1), torch.ones(50))
    assert out.min() >= 0
    torch.testing.assert_close(out.argmax(-1), y.argmax(-1))


def test_each_member_its_own_share():
    stack = LabelSmoothing().with_values({"epsilon": torch.tensor([0.0, 0.5])})
    _, y = stack.batch(torch.zeros(2, 1, 1), torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]), NO_DRAWS)
    torch.testing.assert_close(y, torch.tensor([[[1.0, 0.0]], [[0.75, 0.25]]]))


def test_it_is_for_classes():
    assert LabelSmoothing.tasks == ("classification",)
