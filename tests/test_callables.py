"""Augmentations of a person's own: seen in their own scale, member by member, under every law, and named in files."""

import random
import textwrap

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import tauten
from tauten.callables import data_technique, load_technique
from tauten.draws import Draws, seeded
from tauten.errors import OptionError, RecipeError, RunError
from tauten.member import Source
from tauten.model import Model
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import _REGISTRY as REGISTRY
from tauten.technique import techniques
from tauten.testing import LAWS
from test_cli import refused, run

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:120, None].astype(np.float32), DIGITS.target[:120]
SMALL = {"trials": 3, "threads": 1, "folds": 2, "setting": {"epochs": 2, "width": 8, "net": "mlp", "batch_size": 32}}


@pytest.fixture(autouse=True)
def forgotten():
    before = techniques()
    yield
    for name in REGISTRY.keys() - before:
        del REGISTRY[name]


class Erase(nn.Module):
    """As a transform of torchvision.transforms.v2: drawn once a call, from torch's own random numbers."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, images):
        changed, column = images.clone(), int(torch.randint(images.shape[-1], ()))
        changed[..., column] = (1 - self.share) * changed[..., column] + self.share
        return changed


def noise(strength):
    """As an augmentation of kornia: every image its own; from all three streams that a function may draw from."""
    return lambda images: images + strength * (torch.rand(len(images), 1, 1, 1) + random.random() + np.random.rand())


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_laws_hold_for_a_function_that_draws_on_its_own(law):
    law(data_technique("own_of_test", noise))


def test_a_member_is_alone_where_a_transform_is_called_for_every_image():
    LAWS["2 isolation"](data_technique("own_of_test", Erase, each=True))


def test_the_laws_tell_a_function_that_keeps_something_between_calls():
    calls = iter(range(10**9))
    kind = data_technique("own_of_test", lambda strength: lambda images: images + strength * (next(calls) % 7))
    with pytest.raises(AssertionError, match="neighbours change bits"):
        LAWS["2 isolation"](kind)


def images_seen(x, channels, **options):
    seen = []

    def make(strength):
        def look(images):
            seen.append((strength, images.clone()))
            return images * strength

        return look

    kind = data_technique("own_of_test", make, **options)
    source = Source(x, torch.zeros(len(x), 1), torch.arange(len(x) - 1), "regression", channels=channels)
    bound = kind(strength=0.5).alone(0, x.device).with_values(kind.pixels(*source.pixels))
    made, _ = bound.batch(x, source.targets, Draws(torch.tensor(1), torch.tensor(2), "test"))
    return seen, made


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_images_come_from_black_to_white_whatever_their_scale_and_go_back(scale):
    g = torch.Generator().manual_seed(0)
    colours = torch.rand(6, 3, 4, 5, generator=g) * torch.tensor([1.0, 0.5, 0.25])[:, None, None]
    colours[0, 0, 0, 0], colours[1, 2, 3, 4] = 1.0, 0.0
    mean, std = (0.4, 0.3, 0.1), (0.2, 0.1, 0.05)
    m, s = (torch.tensor(v)[:, None, None] for v in (mean, std))
    standardized = (colours - m) / s
    channels = tuple([scale * v for v in one] for one in (mean, std))
    ((strength, seen),), made = images_seen(standardized, channels)
    assert strength == 0.5
    torch.testing.assert_close(seen, colours)
    torch.testing.assert_close(made, (colours * 0.5 - m) / s)


def test_image_by_image_means_batches_of_one():
    seen, made = images_seen(torch.randn(5, 1, 4, 4), ((0.0,), (1.0,)), each=True)
    assert [images.shape for _, images in seen] == [(1, 1, 4, 4)] * 5
    assert made.shape == (5, 1, 4, 4)


def test_images_without_contrast_stay_finite():
    _, made = images_seen(torch.zeros(4, 1, 3, 3), ((7.0,), (1.0,)))
    assert made.isfinite().all()


def test_seeded_draws_leave_the_streams_of_others_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    want = torch.rand(2).tolist(), np.random.rand(), random.random()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    with seeded(5):
        torch.rand(3), np.random.rand(), random.random()
    assert (torch.rand(2).tolist(), np.random.rand(), random.random()) == want


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Rain", {}, r"named 'Rain'; it must be a word of small letters"),
        ("dropout", {}, r"named 'dropout', as one that there is; rename it"),
        ("rain", {"low": 2.0}, r"low is 2.0 and high 1.0 for rain; low must be less"),
        ("rain", {"make": 3}, r"make is 3; it must be a function"),
    ],
)
def test_what_can_not_be_a_technique_is_refused(name, options, message):
    with pytest.raises(OptionError, match=message):
        data_technique(name, **{"make": noise, **options})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: lambda images: images[:, :, :-1], r"makes \(2, 1, 7, 8\) torch.float32 of images \(2, 1, 8, 8\)"),
        (lambda s: lambda images: (255 * images).to(torch.uint8), r"makes \(2, 1, 8, 8\) torch.uint8 of images"),
        (lambda s: lambda images: None, r"crop at strength 0.5 makes NoneType"),
    ],
)
def test_what_does_not_return_images_is_refused_before_training_and_writing(make, message, tmp_path):
    data_technique("crop", make)
    with pytest.raises(OptionError, match=message):
        tauten.search(IMAGES, LABELS, techniques=["crop"], out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


def write(tmp_path, text):
    file = tmp_path / "my_aug.py"
    file.write_text(textwrap.dedent(text))
    return file


PLAIN = """
    import torch

    def rain(strength):
        return lambda images: images + strength * torch.rand_like(images)
"""


def test_a_file_names_a_function_or_what_was_made_of_one(tmp_path):
    file = write(
        tmp_path, PLAIN + "\n    import tauten\n    hail = tauten.data_technique('hail', rain, high=9.0, each=True)\n"
    )
    for name, high in (("hail", 9.0), ("rain", 1.0)):
        kind = load_technique(f"{file}:{name}")
        assert (kind.name, kind.own, kind.hyperparameters()["strength"].high) == (name, f"{file}:{name}", high)
    assert {name: techniques()[name].own for name in ("hail", "rain")} == {n: f"{file}:{n}" for n in ("hail", "rain")}


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (PLAIN, "snow", "has no function 'snow'; it must hold one that makes a transform of a strength"),
        ("rain = 3", "rain", "has no function 'rain'"),
        ("class Rain: pass", "Rain", "is a class; name a function, or what tauten.data_technique returned"),
    ],
)
def test_a_file_without_it_is_refused(tmp_path, text, name, message):
    with pytest.raises(OptionError, match=message):
        load_technique(f"{write(tmp_path, text)}:{name}")


def test_no_file_is_refused():
    with pytest.raises(OptionError, match=r"augment 'no.py:rain' can't be found; write FILE.py:FUNCTION, such as"):
        load_technique("no.py:rain")


def test_a_recipe_names_its_file_and_runs_no_code(tmp_path):
    kind = load_technique(f"{write(tmp_path, PLAIN)}:rain")
    recipe = Recipe((kind(strength=0.3),))
    text = recipe.dumps()
    assert f'[techniques.rain]\nown = "{kind.own}"\nstrength = 0.3' in text
    assert Recipe.loads(text) == recipe
    del REGISTRY["rain"]
    with pytest.raises(
        RecipeError, match=r"rain is a technique of your own, and .* --augment .*my_aug.py:rain, or in Py"
    ):
        Recipe.loads(text)
    made = Recipe((data_technique("rain", noise)(strength=0.3),)).dumps()
    del REGISTRY["rain"]
    with pytest.raises(RecipeError, match=r"holds no code; in Python call tauten.data_technique first"):
        Recipe.loads(made)


def test_a_search_finds_it_again_and_its_model_predicts_without_it(tmp_path):
    reference, run = f"{write(tmp_path, PLAIN)}:rain", tmp_path / "run"
    found = tauten.search(IMAGES, LABELS, augment=reference, techniques="dropout", out=run, **{**SMALL, "trials": 6})
    assert any("rain" in trial["techniques"] for trial in found.evidence["race"])
    del REGISTRY["rain"]
    again = tauten.resume(run, IMAGES, LABELS)
    assert again.evidence["race"] == found.evidence["race"]
    rain = load_technique(reference)
    trained = tauten.compare(
        IMAGES, LABELS, recipes={"rain": Recipe((rain(strength=0.2),), found.recipe.setting)}, deliver=True, threads=1
    ).models["rain"]
    trained.save(tmp_path)
    del REGISTRY["rain"]
    loaded = Model.load(tmp_path)
    assert loaded.recipe.names == ()
    assert (loaded.predict(IMAGES) == trained.predict(IMAGES)).all()


def test_a_search_made_in_python_says_what_is_missing(tmp_path):
    data_technique("rain", noise)
    tauten.search(IMAGES, LABELS, techniques=["rain"], out=tmp_path / "run", **SMALL)
    del REGISTRY["rain"]
    with pytest.raises(RunError, match=r"searched over rain of your own; call tauten.data_technique for it first"):
        tauten.resume(tmp_path / "run", IMAGES, LABELS)


def test_a_technique_of_ones_own_joins_those_that_are_named(tmp_path):
    options = tauten.api.make_options(trials=3, techniques=["flip"], augment=f"{write(tmp_path, PLAIN)}:rain")
    assert options.techniques == ("flip", "rain")
    assert Options.from_json(options.to_json()) == options
    kind = data_technique("haze", noise)
    assert tauten.api.make_options(trials=3, techniques=["flip", kind]).techniques == ("flip", "haze")


def test_attach_is_told_black_and_white():
    kind = data_technique("rain", noise)
    recipe, model = Recipe((kind(strength=0.4),)), nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    x, y = torch.rand(6, 3, 2, 2), torch.arange(6) % 2
    with pytest.raises(OptionError, match=r"rain acts on images from black to white and pixels is None; give these"):
        recipe.attach(model, task="classification", classes=2)
    losses = []
    m, s = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.25, 0.125])
    weight = model[1].weight.detach().clone()
    for given, pixels in ((x, (0, 1)), ((x - m[:, None, None]) / s[:, None, None], (-m / s, (1 - m) / s))):
        run = recipe.attach(model, task="classification", classes=2, pixels=pixels, seed=3)
        if given is not x:
            with torch.no_grad():
                # The same function of the images, read in other units.
                model[1].bias += (weight.view(2, 3, 4).sum(-1) * m).sum(-1)
                model[1].weight.copy_((weight.view(2, 3, 4) * s[:, None]).flatten(1))
        losses.append(run.loss(given, y).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_the_command_line_takes_files_and_says_what_is_missing(tmp_path):
    np.savez(tmp_path / "digits.npz", X=IMAGES, y=LABELS)
    file, recipe = write(tmp_path, PLAIN), tmp_path / "recipe.toml"
    Recipe((load_technique(f"{file}:rain")(strength=0.5),), Setting(net="mlp", epochs=2, width=8)).save(recipe)
    del REGISTRY["rain"]
    quick = [tmp_path / "digits.npz", "--recipe", recipe]
    missing = f"rain is a technique of your own, and a recipe holds no code; name it by --augment {file}:rain"
    for command in ("train", "preview"):
        refused(tmp_path, missing, command, *quick, "--out", tmp_path / "out")
    named = [*quick, "--augment", f"{file}:rain"]
    for command, out in (("preview", "look.png"), ("train", "run")):
        code, text = run(command, *named, "--out", tmp_path / out)
        assert code == 0, text
    assert f'own = "{file}:rain"' in (tmp_path / "run" / "recipe.toml").read_text()
    refused(tmp_path, "'no.py:rain' can't be found", "search", "wine", "--trials", "3", "--augment", "no.py:rain")
