import numpy as np
import torch
from scipy import ndimage

from tauten.techniques.trivial_augment import TrivialAugment

STRENGTHS = [1.0, 0.0, 0.5]
LUMINANCE = np.array([0.299, 0.587, 0.114])


def by_matrix(image, matrix):
    matrix = np.array(matrix)
    offset = 3.5 - matrix @ [3.5, 3.5]
    return np.stack([ndimage.affine_transform(c, matrix, offset, order=1, mode="nearest") for c in image])


def operations(amount):
    """The nine, in (row, column) and in double precision."""

    def about(image, centre, factor):
        return centre + factor * (image - centre)

    return [
        lambda image: image,
        lambda image: ndimage.rotate(image, 30 * amount, (2, 1), reshape=False, order=1, mode="nearest"),
        lambda image: by_matrix(image, [[1, 0], [0.3 * amount, 1]]),
        lambda image: by_matrix(image, [[1, 0.3 * amount], [0, 1]]),
        lambda image: ndimage.shift(image, (0, 0, -0.3 * 8 * amount), order=1, mode="nearest"),
        lambda image: ndimage.shift(image, (0, -0.3 * 8 * amount, 0), order=1, mode="nearest"),
        lambda image: image + 0.9 * amount,
        lambda image: about(image, image.mean((1, 2), keepdims=True), 1 + 0.9 * amount),
        lambda image: about(image, np.tensordot(LUMINANCE, image, 1), 1 + 0.9 * amount),
    ]


def test_every_image_is_changed_by_the_one_operation_it_drew(digits, place, numbers, each):
    drawn = numbers(count=2)
    kind = np.floor(9 * drawn[..., 0]).astype(int)
    amount = (2 * drawn[..., 1] - 1) * np.array(STRENGTHS)[:, None]
    assert set(kind[::2].ravel()) == set(range(9))
    technique = TrivialAugment().with_values({"strength": torch.tensor(STRENGTHS)})
    out, labels = technique.batch(digits.colour, digits.labels, place())
    expected = each(lambda i, j, image: operations(amount[i, j])[kind[i, j]](image), digits.colour)
    torch.testing.assert_close(out, expected, rtol=0, atol=2e-4)
    assert torch.equal(out[1], digits.colour[1])
    assert torch.equal(out[0][kind[0] == 0], digits.colour[0][kind[0] == 0])
    assert labels is digits.labels


def test_grey_images_have_no_saturation_to_change(digits, place, numbers):
    kind = np.floor(9 * numbers(count=2)[..., 0]).astype(int)
    out, _ = TrivialAugment(strength=1.0).batch(digits.grey, digits.labels, place())
    same = (out == digits.grey).all(-1).all(-1).all(-1).numpy()
    assert same[(kind == 0) | (kind == 8)].all()
    assert not same[(kind != 0) & (kind != 8)].any()
