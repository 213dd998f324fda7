"""What holds for all image techniques: views, company, and one resampling for all maps."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from tauten.draws import Draws
from tauten.engines.step import changed
from tauten.imaging import affine, resample
from tauten.partners import data_of, in_order
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import technique, techniques

IMAGES = {name: kind for name, kind in techniques().items() if kind.data == ("images",)}
AFFINE = [name for name, kind in IMAGES.items() if "warp" in kind.hooks]
CONTINUOUS = [*AFFINE, "colour_jitter"]
SHAPES = [(1, 7, 9), (3, 5, 11), (3, 13, 13), (2, 4, 2), (1, 28, 28)]


def bound(kinds, members):
    """The techniques at their cards' values, for so many members."""
    cpu = torch.device("cpu")
    return tuple(t.with_values(type(t).stack([t] * members, 0, cpu)) for t in in_order(k() for k in kinds))


def batch(kinds, x, y, seeds, step=0):
    seeds = torch.tensor(seeds)
    return changed(bound(kinds, len(seeds)), Draws(seeds, torch.full_like(seeds, step), "step"), x, y)[:2]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_image_has_the_same_bits_in_any_company(name, shape):
    """In a stack of seven, alone in a stack, and without a member axis; to tolerance under vmap."""
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(7, 9, *shape, generator=g), torch.rand(7, 9, 3, generator=g)
    seeds = list(range(7))
    stack = batch([IMAGES[name]], x, y, seeds)
    for i in (0, 3, 6):
        alone = batch([IMAGES[name]], x[i : i + 1], y[i : i + 1], [i])
        t = IMAGES[name]()
        single = changed(
            (t.with_values({k: v[0] for k, v in type(t).stack([t], 0, torch.device("cpu")).items()}),),
            Draws(torch.tensor(i), torch.tensor(0), "step"),
            x[i],
            y[i],
        )
        for together, one, lone in zip(stack, alone, single, strict=False):
            assert torch.equal(together[i], one[0])
            assert torch.equal(together[i], lone)

    def mapped(seed, x, y):
        t = IMAGES[name]()
        values = {k: v[0] for k, v in type(t).stack([t], 0, torch.device("cpu")).items()}
        return changed((t.with_values(values),), Draws(seed, torch.zeros_like(seed), "step"), x, y)[:2]

    for together, one in zip(stack, torch.func.vmap(mapped)(torch.tensor(seeds), x, y), strict=True):
        torch.testing.assert_close(together, one, rtol=0, atol=1e-5)


def test_maps_of_one_recipe_are_one_resampling(digits, place):
    """Equal to one interpolation by scipy at the product of the matrices, in the order in which they act."""
    kinds = [IMAGES[name] for name in AFFINE]
    out, _ = batch(kinds, digits.grey, digits.labels, range(3), step=5)
    for m, row in np.ndindex(3, 40):
        source = np.eye(3)
        for t in bound(kinds, 3):
            path = Draws(torch.arange(3), torch.full((3,), 5), f"step/{t.name}/warp")
            source = source @ np.vstack([t.warp(digits.grey, path)[m, row].double().numpy(), [0, 0, 1]])
        matrix, offset = source[1::-1, 1::-1], source[1::-1, 2]  # scipy counts rows first
        offset = 3.5 - matrix @ [3.5, 3.5] + offset
        expected = ndimage.affine_transform(digits.grey[m, row, 0].numpy(), matrix, offset, order=1, mode="nearest")
        np.testing.assert_allclose(out[m, row, 0].numpy(), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_image_whose_map_is_the_identity_stays_to_the_bit(shape):
    """At these sizes interpolation at a pixel's own place is not exact; infinities next to it would leak as NaN."""
    x = torch.randn(2, 6, *shape, generator=torch.Generator().manual_seed(0))
    x[1, 2:4] = torch.inf
    move = torch.tensor([0.0, 0.0, 0.3, 0.0, 0.0, 0.0])
    out = resample(x, affine(x, dx=move))
    still = move == 0
    assert torch.equal(out[:, still], x[:, still])
    assert not torch.equal(out[0, 2], x[0, 2])


class Watching(nn.Module):
    """A classifier that keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.linear(x.flatten(1))


def views(name, digits, epochs=30):
    """How many distinct pictures of each digit a network sees in so many epochs."""
    x, y = digits.grey[0], digits.labels[0].argmax(-1)
    model = Watching()
    run = Recipe((IMAGES[name](),), Setting(epochs=epochs)).attach(model, task="classification", classes=10)
    for _ in range(run.epochs):
        for first in range(0, len(x), 20):
            run.loss(x[first : first + 20], y[first : first + 20]).backward()
            run.step()
    shown = torch.cat(model.seen).reshape(epochs, *x.shape)
    return [len({shown[epoch, row].numpy().tobytes() for epoch in range(epochs)}) for row in range(len(x))]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_under_a_continuous_technique_no_image_is_seen_twice(name, digits):
    assert set(views(name, digits)) == {30}


def test_flips_double_the_images_and_no_more(digits):
    assert set(views("flip", digits)) == {2}


def test_techniques_that_mix_come_after_those_that_change_one_image():
    order = [t.name for t in in_order(k() for k in techniques().values() if k.hooks & {"batch", "warp"})]
    for single in ("blur", "colour_jitter", "flip", "trivial_augment"):
        for mixing in ("mixup", "cutmix"):
            assert order.index(single) < order.index(mixing), (single, mixing)
    assert order.index("cutmix") < order.index("cutout")


def test_a_technique_for_images_changes_nothing_but_images():
    assert set(IMAGES) >= {"rotation", "shift", "flip", "cutout", "cutmix"}
    assert technique("mixup").data == ("tables", "images")
    assert [data_of(shape) for shape in ((3, 8, 8), (13,), (5, 7))] == ["images", "tables", "tables"]
