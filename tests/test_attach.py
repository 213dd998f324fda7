"""Recipes in a plain loop: the same weights as a population's member, and as torch's own ways of saying the same."""

import doctest
import itertools
import math
import runpy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

import tauten.attach
from tauten.attach import Attached
from tauten.draws import Draws
from tauten.engines.single import Single
from tauten.engines.slots import Resident, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.errors import DataError, ModelError, OptionError, RecipeError, UsageError
from tauten.member import Group, Member, Source, one_hot
from tauten.nets.module import ModuleNet
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.dropout import Dropout
from tauten.techniques.early_stopping import EarlyStopping
from tauten.techniques.ema import EMA
from tauten.techniques.input_noise import InputNoise
from tauten.techniques.l1 import L1
from tauten.techniques.l2 import L2
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.mixup import Mixup
from tauten.techniques.sam import SAM
from tauten.techniques.weight_decay import WeightDecay
from tauten.testing import engine_for, problem, small_setting

ROWS, BATCH, SEED = 200, 32, 17
CLASSES = {"task": "classification", "classes": 10}


class Drift(nn.Module):
    """A layer whose output in training depends on a buffer that it changes: a second pass must not see the change."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("level", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        out = x * self.level.clone()
        self.level.mul_(0.99)
        return out


class Net(nn.Module):
    """Two hidden layers, one activation as a module and one as a function; batch norm on wish."""

    def __init__(self, inputs: int = 64, outputs: int = 10, norm: bool = False) -> None:
        super().__init__()
        # No bias before a norm: its true gradient is zero, and Adam blows its rounding noise up to full steps.
        self.first = nn.Linear(inputs, 24, bias=not norm)
        self.norm: nn.Module = nn.Sequential(nn.BatchNorm1d(24), Drift()) if norm else nn.Identity()
        self.act, self.second, self.out = nn.Tanh(), nn.Linear(24, 24), nn.Linear(24, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.norm(self.first(x)))
        out: Tensor = self.out(F.gelu(self.second(h)))
        return out


class Dropping(Net):
    """With dropout of its own, as a layer and as a function, whose rates are the recipe's."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__(norm=norm)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(self.act(self.norm(self.first(x))))
        out: Tensor = self.out(F.dropout(F.gelu(self.second(h)), 0.9, self.training))
        return out


def digits() -> tuple[Tensor, Tensor]:
    table = load_digits()
    x = torch.tensor(table.data[:ROWS] / 16, dtype=torch.float32)
    return x, torch.tensor(table.target[:ROWS])


def batches(steps: int) -> list[Tensor]:
    """The rows of each batch of a population's member, written out: permutations one after another, cut in 32s."""
    laps = (Draws(torch.tensor(SEED), torch.tensor(lap), "order").permutation(ROWS) for lap in itertools.count())
    stream = torch.cat(list(itertools.islice(laps, math.ceil(steps * BATCH / ROWS))))
    return list(stream[: steps * BATCH].split(BATCH))


def trained(run: Attached, x: Tensor, y: Tensor, steps: int) -> Attached:
    for rows in batches(steps):
        run.model.eval()  # as a validation of one's own leaves it
        run.loss(x[rows], y[rows]).backward()
        run.step()
    return run


SMALL = {"batch_size": BATCH, "epochs": 20, "learning_rate": 2.0**-7}
SGD = {**SMALL, "optimizer": "sgd", "learning_rate": 2.0**-4, "momentum": 0.5}
CASES: dict[str, tuple[Recipe, bool]] = {
    "plain": (Recipe((), Setting(**SMALL)), False),
    "dropout, decay": (Recipe((Dropout(p=0.3), WeightDecay(strength=0.1)), Setting(**SMALL)), False),
    "dropout per layer, norm": (Recipe((Dropout(p=(0.1, 0.4)),), Setting(**SMALL)), True),
    "l1 adamw": (Recipe((L1(strength=1e-3),), Setting(**SMALL)), False),
    "l1 sgd": (Recipe((L1(strength=1e-3),), Setting(**SGD)), False),
    "l2": (Recipe((L2(strength=1e-3),), Setting(**SMALL, schedule="cosine")), False),
    "mixup, smoothing": (Recipe((Mixup(alpha=0.4), LabelSmoothing(epsilon=0.1)), Setting(**SMALL)), False),
    "noise": (Recipe((InputNoise(sigma=0.3),), Setting(**SGD, schedule="cosine")), False),
    "ema, norm": (Recipe((EMA(decay=0.95),), Setting(**SMALL)), True),
    "sam, norm": (Recipe((SAM(rho=0.1), Dropout(p=0.2)), Setting(**SGD)), True),
    "own dropout": (Recipe((Dropout(p=(0.4, 0.2)), WeightDecay(strength=0.1)), Setting(**SMALL)), True),
    "own dropout, plain": (Recipe((), Setting(**SMALL)), True),
    "everything": (
        Recipe(
            (Dropout(), EMA(), InputNoise(), L1(), L2(), LabelSmoothing(), Mixup(), SAM(), WeightDecay()),
            Setting(**SMALL, schedule="cosine"),
        ),
        True,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_a_population_member(case: str) -> None:
    recipe, norm = CASES[case]
    x, y = digits()
    source = Source(x, one_hot(y, 10), torch.arange(ROWS), "classification")
    member = Member(0, recipe, SEED)
    kind = Dropping if case.startswith("own dropout") else Net
    net = ModuleNet(lambda: kind(norm=norm), x[:2])
    group = Group.of(member, source)
    engine = SlotEngine(group, net, Resident([source]), Single(), 1)
    engine.admit([member])

    model = kind(norm=norm)
    w, buffers = net.init([SEED])
    model.load_state_dict({k: v[0] for k, v in (w | buffers).items()})
    start = {k: v.clone() for k, v in model.state_dict().items()}
    run = recipe.attach(model, **CLASSES, steps_per_epoch=group.epoch_steps, seed=SEED)
    trained(run, x, y, 100)
    engine.run(100)

    want = engine.extract(0)
    outputs = engine.evaluate({0: torch.arange(ROWS)})[0]
    torch.testing.assert_close(run.evaluate(x), outputs, atol=1e-4, rtol=0)
    got = run.deliver().state_dict()
    assert got.keys() == (want.w | want.buffers).keys()
    for name, tensor in (want.w | want.buffers).items():
        torch.testing.assert_close(got[name], tensor, atol=1e-5, rtol=0, msg=lambda m, name=name: f"{name}: {m}")
    assert float((got["first.weight"] - start["first.weight"]).abs().max()) > 0.05
    torch.testing.assert_close(model(x), outputs, atol=1e-4, rtol=0)


def pair(recipe: Recipe, **options: object) -> tuple[Attached, nn.Module, Tensor, Tensor]:
    """A run, an equal module beside it, and data in float64, so that a torch loop can be compared closely."""
    torch.manual_seed(3)
    model, other = Net().double(), Net().double()
    other.load_state_dict(model.state_dict())
    x, y = digits()
    run = recipe.attach(model, **{"task": "classification", "classes": 10, "seed": SEED, **options})
    return run, other, x.double(), y


def same(run: Attached, other: nn.Module, tolerance: float) -> bool:
    got, want = run.model.state_dict(), other.state_dict()
    return all(float((got[k] - want[k]).abs().max()) < tolerance for k in want)


def test_decay_and_smoothing_are_torch_adamw_and_cross_entropy() -> None:
    recipe = Recipe((WeightDecay(strength=0.25), LabelSmoothing(epsilon=0.125)), Setting(**SMALL))
    run, other, x, y = pair(recipe)
    kernels = [p for p in other.parameters() if p.ndim == 2]
    rest = [p for p in other.parameters() if p.ndim < 2]
    groups = [{"params": kernels, "weight_decay": 0.25}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=2.0**-7)
    for rows in batches(100):
        optimizer.zero_grad()
        F.cross_entropy(other(x[rows]), y[rows], label_smoothing=0.125).backward()
        optimizer.step()
    assert same(trained(run, x, y, 100), other, 1e-7)


def test_l2_under_sgd_is_torch_weight_decay_of_twice_the_strength() -> None:
    run, other, x, y = pair(Recipe((L2(strength=2.0**-6),), Setting(**SGD, schedule="cosine")), steps_per_epoch=5)
    kernels = [p for p in other.parameters() if p.ndim == 2]
    rest = [p for p in other.parameters() if p.ndim < 2]
    optimizer = torch.optim.SGD(
        [{"params": kernels, "weight_decay": 2.0**-5}, {"params": rest}], lr=2.0**-4, momentum=0.5
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20 * 5)
    for rows in batches(60):
        optimizer.zero_grad()
        F.cross_entropy(other(x[rows]), y[rows]).backward()
        optimizer.step()
        schedule.step()
    assert same(trained(run, x, y, 60), other, 1e-7)


def test_regression_takes_targets_with_or_without_a_column() -> None:
    table = load_diabetes()
    x = torch.tensor(table.data[:ROWS] * 20, dtype=torch.float32)
    y = torch.tensor((table.target[:ROWS] - 150) / 80, dtype=torch.float32)
    delivered = []
    for target in (y, y.unsqueeze(-1)):
        torch.manual_seed(0)
        run = Recipe((Mixup(),), Setting(**SMALL)).attach(Net(10, 1), task="regression", seed=SEED)
        before = F.mse_loss(run.evaluate(x).squeeze(-1), y)
        trained(run, x, target, 40)
        assert F.mse_loss(run.evaluate(x).squeeze(-1), y) < 0.8 * before
        delivered.append(run.deliver().state_dict())
    assert all(torch.equal(delivered[0][k], delivered[1][k]) for k in delivered[0])


def test_probabilities_are_taken_as_codes_are() -> None:
    x, y = digits()
    for target in (y, one_hot(y, 10)):
        torch.manual_seed(0)
        run = Recipe().attach(Net(), **CLASSES)
        assert float(run.loss(x, target).detach()) == pytest.approx(
            float(F.cross_entropy(run.evaluate(x), y)), abs=1e-6
        )


def test_evaluation_draws_nothing_and_training_goes_on_as_if_it_had_not_been() -> None:
    x, y = digits()
    results = []
    for peek in (False, True):
        torch.manual_seed(0)
        run = CASES["everything"][0].attach(Net(norm=True), **CLASSES, steps_per_epoch=5, seed=1)
        for rows in batches(12):
            loss = run.loss(x[rows], y[rows])
            loss.backward()
            if peek:
                assert torch.equal(run.evaluate(x), run.evaluate(x))
                torch.testing.assert_close(run.evaluate(x[:7]), run.evaluate(x)[:7], atol=1e-5, rtol=0)
                assert run.model.training
            run.step()
        results.append(run.deliver().state_dict())
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])


@pytest.mark.parametrize("average", [True, False])
def test_early_stopping_delivers_the_best_epoch(average: bool) -> None:
    x, y = digits()
    chosen = (EarlyStopping(patience=2), *([EMA(decay=0.9)] if average else []))
    run = Recipe(chosen, Setting(**SMALL)).attach(Net(norm=True), **CLASSES)
    outputs, answers = [], []
    for validation in (1.0, 0.5, 0.7, math.nan):
        trained(run, x, y, 3)
        outputs.append(run.evaluate(x))
        answers.append(run.stop(validation))
    assert answers == [False, False, False, True]
    assert torch.equal(run.deliver()(x), outputs[1])
    assert torch.equal(run.evaluate(x), outputs[1])
    assert not run.model.training
    with pytest.raises(UsageError, match="after deliver"):
        run.loss(x, y)


def test_the_average_begins_at_the_start_weights() -> None:
    x, y = digits()
    model = Net()
    run = Recipe((EMA(decay=0.5),), Setting(**SMALL)).attach(model, **CLASSES)
    path = [model.out.weight.detach().clone()]
    for _ in range(2):
        trained(run, x, y, 1)
        path.append(model.out.weight.detach().clone())
    want = path[0]
    for step, w in enumerate(path[1:]):
        decay = min(0.5, (1 + step) / (10 + step))
        want = decay * want + (1 - decay) * w
    run.deliver()
    torch.testing.assert_close(model.out.weight.detach(), want, atol=1e-7, rtol=0)


def test_a_layer_that_is_not_used_is_not_moved() -> None:
    x, y = digits()
    model = Net()
    model.spare = nn.Linear(3, 3)
    before = model.spare.weight.detach().clone()
    trained(Recipe((Dropout(), WeightDecay(strength=0.0)), Setting(**SMALL)).attach(model, **CLASSES), x, y, 3)
    assert torch.equal(model.spare.weight, before)


def test_early_stopping_that_was_never_asked_warns() -> None:
    x, y = digits()
    run = trained(Recipe((EarlyStopping(),)).attach(Net(), **CLASSES), x, y, 1)
    with pytest.warns(UserWarning, match=r"early_stopping had no effect: call run\.stop"):
        run.deliver()


def test_a_buffer_that_the_module_reassigns_is_kept() -> None:
    class Counting(Net):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                self.seen = self.seen + len(x)
            return super().forward(x)

    x, y = digits()
    run = Recipe((SAM(), Dropout()), Setting(**SMALL)).attach(Counting(), **CLASSES)
    trained(run, x, y, 5)
    assert float(run.deliver().state_dict()["seen"]) == 5 * BATCH


def test_a_frozen_layer_stays_and_is_not_decayed() -> None:
    x, y = digits()
    model = Net()
    model.first.requires_grad_(False)
    before = model.first.weight.clone()
    run = Recipe((WeightDecay(strength=1.0), EMA(), SAM()), Setting(**SMALL)).attach(
        model, task="classification", classes=10
    )
    trained(run, x, y, 5).deliver()
    assert torch.equal(model.first.weight, before)


def test_sick_is_said_and_the_loss_is_passed_through() -> None:
    x, y = digits()
    run = Recipe().attach(Net(), **CLASSES)
    run.loss(x, y)
    assert not run.sick
    assert math.isnan(float(run.loss(x * math.nan, y).detach()))
    assert run.sick


def test_a_batch_may_be_skipped_before_backward() -> None:
    x, y = digits()
    run = Recipe((Dropout(),)).attach(Net(), **CLASSES)
    first, again = run.loss(x, y), run.loss(x, y)
    assert torch.equal(first, again)
    again.backward()
    run.step()
    assert not torch.equal(run.loss(x, y), first)


DROPPING = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 10))


@pytest.mark.parametrize(
    ("recipe", "model", "options", "error", "message"),
    [
        (Recipe((BatchNorm(),)), Net(), CLASSES, RecipeError, r"batch_norm .* can't be grafted.*nn\.BatchNorm1d"),
        (
            Recipe((Dropout(form="classic"),)),
            Net(),
            CLASSES,
            RecipeError,
            r"classic.* also acts at inference.*inverted",
        ),
        (Recipe((LabelSmoothing(),)), Net(), {"task": "regression"}, RecipeError, r"label_smoothing is for class"),
        (Recipe(), Net(), {"task": "ranking"}, OptionError, r"task is 'ranking'"),
        (Recipe(), Net(), {"task": "classification"}, OptionError, r"classes is None"),
        (Recipe((), Setting(schedule="cosine")), Net(), CLASSES, OptionError, r"steps_per_epoch; give len\(loader\)"),
        (Recipe(), Net(), {**CLASSES, "steps_per_epoch": 0}, OptionError, r"steps_per_epoch is 0"),
        (Recipe(), Net(), {**CLASSES, "seed": -1}, OptionError, r"seed is -1"),
        (Recipe(), Net, CLASSES, ModelError, r"the model is type"),
        (Recipe(), Net().requires_grad_(False), CLASSES, ModelError, r"no parameter"),
        (Recipe(), nn.LazyLinear(10), CLASSES, ModelError, r"lazy layers"),
    ],
)
def test_what_cannot_be_attached_is_said_at_once(
    recipe: Recipe, model: nn.Module, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recipe.attach(model, **options)


def test_what_is_satisfied_or_off_is_attached() -> None:
    x, y = digits()
    for recipe, model in (
        (Recipe((BatchNorm(),)), Net(norm=True)),
        (Recipe((Dropout(p=0.0, form="classic"),)), DROPPING),
        (Recipe((Dropout(p=(0.0, 0.3)),)), Net()),
        (Recipe((L2(),)), DROPPING),
    ):
        trained(recipe.attach(model, **CLASSES), x, y, 1).deliver()


def test_batches_that_do_not_fit_are_said_in_a_sentence() -> None:
    x, y = digits()
    run = Recipe().attach(Net(), **CLASSES)
    for target, message in (
        (y[:-1], r"x has shape \(200, 64\) and y \(199,\)"),
        (y - 1, r"class code -1; with classes = 10 codes go from 0 to 9"),
        (y + 1, r"class code 10"),
        (y.float(), r"y has shape \(200,\) and torch.float32; give class codes"),
        (one_hot(y, 11), r"class probabilities \(200, 10\)"),
        (y.tolist(), r"Tensor and list"),
    ):
        with pytest.raises(DataError, match=message):
            run.loss(x, target)
    narrow = Recipe().attach(Net(outputs=3), **CLASSES)
    with pytest.raises(ModelError, match=r"outputs of shape \(200, 3\) and the targets need \(200, 10\)"):
        narrow.loss(x, y)


def test_dropout_without_a_place_or_with_too_many_values_is_refused() -> None:
    x, y = digits()
    with pytest.raises(RecipeError, match=r"dropout acts after activations such as nn\.ReLU and the module calls none"):
        Recipe((Dropout(),)).attach(nn.Linear(64, 10), **CLASSES).loss(x, y)
    with pytest.raises(RecipeError, match=r"dropout\.p has 3 values and the network has 2 places for it"):
        Recipe((Dropout(p=(0.1, 0.2, 0.3)),)).attach(Net(), **CLASSES).loss(x, y)


def test_calls_out_of_order_are_said_in_a_sentence() -> None:
    x, y = digits()
    run = Recipe().attach(Net(), **CLASSES)
    with pytest.raises(UsageError, match=r"step\(\) came before loss\(\)"):
        run.step()
    loss = run.loss(x, y)
    with pytest.raises(UsageError, match=r"found no gradients"):
        run.step()
    loss.backward()
    with pytest.raises(UsageError, match=r"came again before step\(\)"):
        run.loss(x, y)
    run.step()
    with torch.no_grad(), pytest.raises(UsageError, match=r"gradients are off; use run\.evaluate"):
        run.loss(x, y)


def test_the_example_and_the_docstring_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctest.testmod(tauten.attach).failed == 0
    runpy.run_path(str(Path(__file__).parents[1] / "examples" / "attach_plain_loop.py"), run_name="__main__")
    plain, recipe = (float(line.split()[2].rstrip("%")) for line in capsys.readouterr().out.splitlines())
    assert 85 < plain < 100
    assert 85 < recipe < 100


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_rows_may_have_weights_as_in_a_population(task: str) -> None:
    source = problem(24, 4, 3, task, weighted=True)
    recipe = Recipe((), small_setting(7, 0, "sgd", batch_size=len(source.train), learning_rate=0.1))
    assert source.weights is not None
    population = engine_for(Member(0, recipe, 5), [source], Stacked())
    population.admit([Member(0, recipe, 5)])
    first, model = population.extract(0).w, nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.copy_(first["out.weight"].mT)
        model.bias.copy_(first["out.bias"])
    run = recipe.attach(model, task=task, classes=3 if task != "regression" else None)
    assert source.weights is not None
    for _ in range(3):
        y = source.targets[source.train]
        run.loss(
            source.inputs[source.train], y.long() if task == "multilabel" else y, source.weights[source.train]
        ).backward()
        run.step()
    population.run(3)
    torch.testing.assert_close(model.weight.mT, population.extract(0).w["out.weight"], atol=1e-6, rtol=0)


def test_weights_and_labels_that_do_not_fit_are_refused() -> None:
    model, x = nn.Linear(4, 3), torch.zeros(8, 4)
    run = Recipe().attach(model, task="multilabel", classes=3)
    with pytest.raises(DataError, match=r"^weight has shape \(7,\) and x \(8, 4\); give one for each row\.$"):
        run.loss(x, torch.zeros(8, 3), torch.ones(7))
    with pytest.raises(DataError, match=r"^y has shape \(8,\); give a zero or one for each row and label, \(8, 3\)\.$"):
        run.loss(x, torch.zeros(8, dtype=torch.int64))
