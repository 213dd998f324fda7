import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tauten.errors import RecipeError
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import _REGISTRY as REGISTRY
from tauten.technique import Technique, hyperparameter, techniques
from tauten.techniques.dropout import Dropout
from tauten.techniques.early_stopping import EarlyStopping
from tauten.techniques.l2 import L2

WRITTEN = """
# by hand
[setting]
optimizer = "sgd"
learning_rate = 0.1
skip = false

[techniques.dropout]
p = [0.1, 0.25]

[techniques.early_stopping]
patience = 7

[context]
task = "regression"
rows = 442
"""


def test_a_recipe_written_by_hand_is_read():
    recipe = Recipe.loads(WRITTEN)
    assert recipe == Recipe(
        (EarlyStopping(patience=7), Dropout(p=(0.1, 0.25))),
        Setting(optimizer="sgd", learning_rate=0.1, skip=False),
        {"task": "regression", "rows": 442},
    )
    assert recipe.names == ("dropout", "early_stopping")


def test_what_is_written_is_toml_that_another_reader_understands():
    text = Recipe((Dropout(p=(0.1, 0.25)),), Setting(skip=False), {"note": 'a "quoted" λ \x7f\n'}).dumps()
    read = tomllib.loads(text)
    assert read["techniques"] == {"dropout": {"p": [0.1, 0.25], "form": "inverted"}}
    assert read["setting"]["skip"] is False
    assert read["context"]["note"] == 'a "quoted" λ \x7f\n'


numbers = st.floats(1e-7, 100, allow_nan=False)


@given(
    p=st.floats(0.01, 0.95) | st.lists(st.floats(0.01, 0.95), min_size=1, max_size=4).map(tuple),
    rate=numbers,
    context=st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])) | st.booleans() | st.integers(-(2**60), 2**60) | numbers,
        max_size=3,
    ),
)
@settings(max_examples=80, deadline=None, derandomize=True, database=None)
def test_any_recipe_comes_back_from_its_file(tmp_path_factory, p, rate, context):
    recipe = Recipe((Dropout(p=p), L2()), Setting(learning_rate=rate), context)
    path = tmp_path_factory.getbasetemp() / "recipe.toml"
    recipe.save(path)
    again = Recipe.load(path)
    assert again == recipe
    assert again.key == recipe.key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[techniqes]", "a recipe has no section 'techniqes'; did you mean 'techniques'"),
        ("[techniques.dropuot]\np=0.1", "there is no technique 'dropuot'; did you mean 'dropout'"),
        ("[techniques.dropout]\nq=0.1", "dropout has no 'q'"),
        ("[techniques.dropout]\np=1.5", r"dropout.p is 1.5; it must be a number from 0.01 to 0.95, or 0 for off"),
        ("[techniques]\ndropout=0.1", "techniques.dropout is 0.1; it must be a table"),
        ("techniques=3", "recipe section 'techniques' is 3; it must be a table"),
        ("[setting]\nepochs=1.5", "setting.epochs is 1.5; it must be a whole number"),
        ("[setting\n", "x.toml is not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.loads(text, "x.toml")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(RecipeError, match=r"no recipe can be read from .*nowhere.toml.*FileNotFoundError"):
        Recipe.load(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UnicodeDecodeError"):
        Recipe.load(tmp_path / "binary.toml")


def test_order_does_not_matter_and_the_key_is_the_content():
    a, b = Recipe((Dropout(), L2())), Recipe((L2(), Dropout()))
    assert a == b
    assert a.key == b.key == Recipe((L2(), Dropout()), context={"rows": 3}).key
    others = [Recipe(()), Recipe((Dropout(),)), Recipe((Dropout(p=0.21), L2())), a.with_setting(epochs=51)]
    assert len({r.key for r in [a, *others]}) == 5


def test_parts_can_be_taken_out_and_replaced():
    recipe = Recipe((Dropout(), L2(), EarlyStopping()), Setting(epochs=9))
    assert recipe.without("l2").names == ("dropout", "early_stopping")
    assert recipe.only("l2").names == ("l2",)
    assert recipe.only("l2").setting == recipe.setting
    assert recipe.get("l2") == L2()
    assert recipe.get("mixup") is None
    assert recipe.with_setting(width=7).setting.to_dict() == {**recipe.setting.to_dict(), "width": 7}


@pytest.fixture
def loner():
    class Loner(Technique, name="loner", excludes=("dropout",)):
        p: float = hyperparameter(low=0, high=1, default=0.5, off=0.0)

        def activation(self, h, r):
            return h * (1 - self.p)

    yield Loner
    REGISTRY.pop("loner")


def test_partners_that_exclude_each_other_are_refused(loner):
    assert "loner" in techniques()
    with pytest.raises(RecipeError, match="loner can't be combined with dropout; remove one of the two"):
        Recipe((loner(), Dropout()))
