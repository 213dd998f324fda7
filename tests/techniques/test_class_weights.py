import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from tauten.draws import Draws
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.errors import DataError, OptionError
from tauten.member import Member, Source, one_hot
from tauten.partners import in_order
from tauten.recipe import Recipe
from tauten.techniques.class_weights import ClassWeights
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.mixup import Mixup
from tauten.testing import engine_for, small_setting, trained

CODES = np.array([0] * 12 + [1] * 3 + [2] * 30)
BALANCED = compute_class_weight("balanced", classes=np.arange(3), y=CODES)
NO_DRAWS = Draws(torch.tensor(0), torch.tensor(0), "unused")


def source_of(codes, classes, train=None, inputs=5, seed=0):
    x = torch.randn(len(codes), inputs, generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(len(codes)) if train is None else train
    return Source(x, one_hot(codes, classes), rows, "classification")


def weights(strength, codes, classes):
    """Weights of the classes: what becomes of each class's own target."""
    known = ClassWeights.learn(one_hot(codes, classes))
    _, y = (
        ClassWeights(strength=strength).with_values(known).batch(torch.zeros(classes, 1), torch.eye(classes), NO_DRAWS)
    )
    assert torch.equal(y, torch.diag(y.diagonal()))
    return y.diagonal().numpy()


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 2.0])
def test_at_strength_one_they_are_scikit_learns_balanced_weights(strength):
    np.testing.assert_allclose(weights(strength, CODES, 3), BALANCED**strength, rtol=1e-6)
    assert strength or np.array_equal(weights(strength, CODES, 3), np.ones(3))


def test_a_class_without_rows_gets_weight_one_and_the_others_what_they_have_without_it():
    np.testing.assert_allclose(weights(1.0, CODES * 2, 6), [BALANCED[0], 1, BALANCED[1], 1, BALANCED[2], 1], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [(), (LabelSmoothing(epsilon=0.2),)])
def test_the_training_loss_is_torchs_cross_entropy_with_weights(smoothing):
    """Counted are only the rows trained on: 12, 3 and 5 of the classes, where the whole source has 12, 3 and 30."""
    train = torch.arange(20)
    source = source_of(CODES, 3, train)
    own = torch.tensor(compute_class_weight("balanced", classes=np.arange(3), y=CODES[:20]), dtype=torch.float32)
    recipe = Recipe((ClassWeights(), *smoothing), small_setting(1, 0, batch_size=64))
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    out, y = engine.evaluate({0: train})[0], source.targets[train]
    soft = 0.8 * y + 0.2 / 3 if smoothing else y
    want = nn.CrossEntropyLoss(weight=own)(out, soft)
    assert abs(engine.run(1)[0] - float(want)) < 1e-6
    assert abs(float(want) - float(F.cross_entropy(out, soft))) > 0.01


def test_it_acts_after_what_makes_targets_soft():
    assert [t.name for t in in_order((ClassWeights(), LabelSmoothing(), Mixup()))][-1] == "class_weights"


@pytest.mark.parametrize("lift", [Stacked, Vmapped])
def test_each_member_has_its_own_strength_and_the_shares_of_its_own_rows(lift):
    few, many = source_of(CODES, 3), source_of(CODES[::-1].copy() // 2, 3)
    setting = small_setting(7, 1)
    plan = [(1.0, 0), (0.5, 1), (0.0, 1), (1.0, 1)]
    members = [Member(i, Recipe((ClassWeights(strength=s),), setting), 9, source=at) for i, (s, at) in enumerate(plan)]
    engine = engine_for(members[0], [few, many], lift(), 4)
    engine.admit(members[:2])
    engine.run(2)
    engine.evict([0])
    engine.admit(members[2:])
    engine.run(3)
    for member, steps in zip(members[1:], (5, 3, 3), strict=True):
        alone = Member(0, member.recipe, 9)
        want = trained([alone], (few, many)[member.source], Stacked(), steps)[0].w
        torch.testing.assert_close(engine.extract(member.id).w, want, atol=2e-4, rtol=0)


def test_native_code_gets_a_weight_a_class():
    kernel = ClassWeights(strength=0.5).with_values(ClassWeights.learn(one_hot(CODES, 3))).kernel()
    np.testing.assert_allclose(kernel["class_weights"], BALANCED**0.5, rtol=1e-6)


def test_more_rows_of_a_rare_class_are_found():
    data = load_breast_cancer()
    rare = np.flatnonzero(data.target == 0)
    codes = np.delete(data.target, rare[20:100])
    x = torch.tensor(np.delete(data.data, rare[20:100], 0), dtype=torch.float32)[:, :5]
    train = torch.arange(len(x))[::2]
    source = Source((x - x.mean(0)) / x.std(0), one_hot(codes, 2), train, "classification")
    test = torch.from_numpy(np.flatnonzero((np.arange(len(x)) % 2 == 1) & (codes == 0)))
    setting = small_setting(1, 0, learning_rate=0.01, batch_size=32)
    members = [Member(i, Recipe((ClassWeights(strength=s),), setting), 1) for i, s in enumerate((0.0, 0.5, 1.0))]
    engine = engine_for(members[0], [source], Stacked())
    engine.admit(members)
    engine.run(300)
    found = [int((out.argmax(-1) == 0).sum()) for out in engine.evaluate(dict.fromkeys(range(3), test)).values()]
    assert found[0] < found[2]
    assert found[0] <= found[1] <= found[2]


class TestInALoopOfYourOwn:
    recipe = Recipe((ClassWeights(),), small_setting(1, 0, "sgd", learning_rate=0.1))

    @pytest.mark.parametrize("targets", [torch.from_numpy(CODES), one_hot(CODES, 3)])
    def test_the_loss_is_torchs(self, targets):
        source, model = source_of(CODES, 3), nn.Linear(5, 3)
        run = self.recipe.attach(model, task="classification", classes=3, targets=targets)
        x, y = source.inputs[:20], source.targets[:20]
        want = nn.CrossEntropyLoss(weight=torch.tensor(BALANCED, dtype=torch.float32))(model(x), y)
        torch.testing.assert_close(run.loss(x, torch.from_numpy(CODES[:20])), want, atol=1e-6, rtol=0)

    def test_it_asks_for_the_targets(self):
        with pytest.raises(
            OptionError, match=r"^class_weights learns from the training targets and targets is None; give"
        ):
            self.recipe.attach(nn.Linear(5, 3), task="classification", classes=3)
        off = Recipe((ClassWeights(strength=0.0),), self.recipe.setting)
        off.attach(nn.Linear(5, 3), task="classification", classes=3)

    @pytest.mark.parametrize(
        ("targets", "message"),
        [
            ([0, 1], r"^targets is \[0, 1\]; it must be a tensor with one row an example\.$"),
            (torch.tensor([0, 3]), "^targets holds the class code 3; with classes = 3 codes go from 0 to 2"),
            (torch.zeros(4, 2), r"^targets has shape \(4, 2\) and torch.float32; give class codes \(4,\)"),
        ],
    )
    def test_wrong_targets_are_refused(self, targets, message):
        with pytest.raises(DataError, match=message):
            self.recipe.attach(nn.Linear(5, 3), task="classification", classes=3, targets=targets)


def test_it_is_for_classes():
    assert ClassWeights.tasks == ("classification",)
