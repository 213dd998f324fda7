import dataclasses
import math

import pytest

from tauten.declare import Choice, Hyperparameter, choice, hyperparameter, suggest
from tauten.errors import ContractError, RecipeError
from tauten.partners import in_order
from tauten.setting import Setting
from tauten.technique import Technique, technique, techniques
from tauten.techniques.dropout import Dropout
from tauten.techniques.early_stopping import EarlyStopping
from tauten.techniques.input_noise import InputNoise
from tauten.techniques.l2 import L2
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.mixup import Mixup

NUMBER = Hyperparameter(low=0.01, high=0.95, default=0.2, off=0.0, per_layer=True)
WHOLE = Hyperparameter(low=1, high=10, default=5, integer=True)


@pytest.mark.parametrize("value", [0.01, 0.95, 0.0, 0.5])
def test_bounds_and_off_are_inside(value):
    assert NUMBER.check("k", value) == value


@pytest.mark.parametrize("value", [0.005, 0.96, -0.1, math.nan, math.inf, "0.2", True, None, [0.2, 2.0], [0.1, "x"]])
def test_outside_is_refused_with_value_range_and_off(value):
    bad = value if not isinstance(value, list) else value[1]
    with pytest.raises(RecipeError) as error:
        NUMBER.check("dropout.p", value)
    assert str(error.value) == f"dropout.p is {bad!r}; it must be a number from 0.01 to 0.95, or 0 for off."


def test_lists_where_a_value_per_layer_is_possible():
    assert NUMBER.check("k", [0.1, 0.0]) == (0.1, 0.0)
    with pytest.raises(RecipeError, match="empty list"):
        NUMBER.check("k", [])
    with pytest.raises(RecipeError, match=r"k is \[1, 2\]; it must be a whole number from 1 to 10"):
        WHOLE.check("k", [1, 2])


@pytest.mark.parametrize(("value", "kept"), [(3, 3), (3.0, 3)])
def test_whole_numbers_keep_their_type(value, kept):
    assert type(WHOLE.check("k", value)) is int
    assert WHOLE.check("k", value) == kept


@pytest.mark.parametrize("value", [2.5, 0, 11])
def test_what_is_no_whole_number_inside_is_refused(value):
    with pytest.raises(RecipeError, match="a whole number from 1 to 10"):
        WHOLE.check("k", value)


def test_floats_come_out_as_floats():
    assert type(Hyperparameter(0.0, 5.0, 1.0).check("k", 1)) is float


def test_choices():
    spec = Choice(options=("a", True, False), default="a")
    assert spec.check("k", True) is True
    for wrong in ("b", 1, 0, None):
        with pytest.raises(RecipeError, match=r"it must be one of 'a', true, false"):
            spec.check("k", wrong)


def test_unknown_keys_are_refused_with_the_nearest():
    with pytest.raises(RecipeError, match="setting has no 'learning_rat'; did you mean 'learning_rate'"):
        Setting.from_dict({"learning_rat": 0.1})
    with pytest.raises(RecipeError, match="dropout has no 'zzz'; it knows p, form"):
        Dropout.from_dict({"zzz": 1})
    with pytest.raises(RecipeError, match="there is no technique 'dropuot'; did you mean 'dropout'"):
        technique("dropuot")


def test_suggest():
    assert suggest("x", []) == "it takes no values"


def test_declared_values_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dropout(p=0.5).p = 0.1


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        (Dropout(p=0.0), True),
        (Dropout(p=(0.0, 0.0)), True),
        (Dropout(p=(0.0, 0.1)), False),
        (EarlyStopping(patience=0), True),
        (L2(), False),
    ],
)
def test_what_is_off(off, expected):
    assert off.is_off == expected


def test_the_rate_follows_the_cosine():
    setting = Setting(learning_rate=0.2, schedule="cosine")
    assert [round(setting.rate_at(p), 6) for p in (0, 1 / 3, 0.5, 1, 1.7)] == [0.2, 0.15, 0.1, 0.0, 0.0]
    assert Setting(learning_rate=0.2).rate_at(0.7) == 0.2


def test_a_warm_schedule_rises_in_a_straight_line_and_then_is_the_cosine_over_what_is_left():
    warm, cosine = (Setting(learning_rate=0.2, schedule=word) for word in ("warm_cosine", "cosine"))
    assert [round(warm.rate_at(p), 6) for p in (0, 0.025, 0.05, 0.075)] == [0.02, 0.065, 0.11, 0.155]
    for share in (0, 0.25, 0.5, 1, 1.2):
        assert math.isclose(warm.rate_at(0.1 + 0.9 * share), cosine.rate_at(share), abs_tol=1e-15)


def test_techniques_act_in_the_order_they_declare():
    mixed = in_order([LabelSmoothing(), InputNoise(), Mixup(), Dropout()])
    names = [t.name for t in mixed]
    assert names.index("mixup") < names.index("input_noise")
    assert names.index("mixup") < names.index("label_smoothing")
    assert in_order(reversed(mixed)) == mixed


def test_the_contract_is_enforced_when_a_technique_is_written():
    before = techniques()
    with pytest.raises(ContractError, match="needs a name"):

        class Nameless(Technique):
            pass

    with pytest.raises(ContractError, match="defines no hook"):

        class Idle(Technique, name="idle_one"):
            p: float = hyperparameter(low=0, high=1, default=0.5, off=0.0)

    with pytest.raises(ContractError, match="no hyperparameter with an off value"):

        class Always(Technique, name="always_on"):
            p: float = hyperparameter(low=0, high=1, default=0.5)
            word: str = choice(default="a", options=("a", "b"))

            def activation(self, h, r):
                return h * self.p

    with pytest.raises(ContractError, match="two techniques are named 'dropout'"):

        class Other(Technique, name="dropout"):
            p: float = hyperparameter(low=0, high=1, default=0.5, off=0.0)

            def activation(self, h, r):
                return h * self.p

    assert techniques() == before
