import numpy as np
import torch
from scipy.spatial.transform import Rotation

from tauten.techniques.colour_jitter import ColourJitter

VALUES = {
    "brightness": [0.5, 0.0, 0.0],
    "contrast": [0.4, 0.0, 0.0],
    "saturation": [0.8, 0.0, 0.0],
    "hue": [0.25, 0.0, 0.5],
}
LUMINANCE = np.array([0.299, 0.587, 0.114])


def jitter(**values):
    off = dict.fromkeys(VALUES, [0.0] * 3)
    return ColourJitter().with_values({k: torch.tensor(v) for k, v in (off | values).items()})


def amounts(numbers, values):
    drawn = 2 * numbers(count=4) - 1
    return {key: drawn[..., i] * np.array(values[key])[:, None] for i, key in enumerate(VALUES)}


def test_each_image_has_its_own_four_amounts(digits, place, numbers, each):
    by = amounts(numbers, VALUES)

    def recoloured(i, j, image):
        means = image.mean((1, 2), keepdims=True)
        new = means + (1 + by["contrast"][i, j]) * (image - means) + by["brightness"][i, j]
        grey = np.tensordot(LUMINANCE, new, 1)
        new = grey + (1 + by["saturation"][i, j]) * (new - grey)
        turn = Rotation.from_rotvec(2 * np.pi * by["hue"][i, j] * np.ones(3) / np.sqrt(3))
        return np.tensordot(turn.as_matrix(), new, 1)

    out, labels = jitter(**VALUES).batch(digits.colour, digits.labels, place())
    torch.testing.assert_close(out, each(recoloured, digits.colour), rtol=0, atol=2e-5)
    assert torch.equal(out[1], digits.colour[1])
    assert labels is digits.labels


def test_with_one_scale_for_all_channels_it_is_torchvisions_formula(digits, place, numbers, each):
    """In pixels from 0 to 1: contrast towards the mean of each channel, saturation towards the luminance."""
    pixels = (digits.colour - digits.colour.min()) / (digits.colour.max() - digits.colour.min())
    mean, deviation = 0.4, 0.25
    values = {"saturation": [0.5, 0.3, 1.0]}
    by = amounts(numbers, VALUES | values)

    def torchvision(i, j, image):
        factor = 1 + by["saturation"][i, j]
        return factor * image + (1 - factor) * np.tensordot(LUMINANCE, image, 1)

    out, _ = jitter(**values).batch((pixels - mean) / deviation, digits.labels, place())
    torch.testing.assert_close(out * deviation + mean, each(torchvision, pixels), rtol=0, atol=1e-5)


def test_a_third_of_the_circle_exchanges_the_channels(digits):
    from tauten.imaging import recolour

    x = digits.colour
    nothing = torch.zeros(x.shape[:2])
    out = recolour(x, nothing, nothing + 1, nothing + 1, nothing + 2 * np.pi / 3)
    torch.testing.assert_close(out, x.roll(1, -3), rtol=0, atol=1e-5)


def test_one_channel_has_brightness_and_contrast_only(digits, place, numbers, each):
    by = amounts(numbers, VALUES)

    def recoloured(i, j, image):
        return image.mean() + (1 + by["contrast"][i, j]) * (image - image.mean()) + by["brightness"][i, j]

    out, _ = jitter(**VALUES).batch(digits.grey, digits.labels, place())
    torch.testing.assert_close(out, each(recoloured, digits.grey), rtol=0, atol=1e-5)
    assert torch.equal(out[2], digits.grey[2])  # a hue, and no colours
