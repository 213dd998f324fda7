"""What techniques for images share: affine maps, resampling, colours and boxes, of every image of a population at once.

Images are x (M?, B, C, H, W), each channel standardized by the training rows, so 0 is the channel's mean and 1 its
standard deviation; nothing here knows the range of pixels. A value of an image is (M?, B).

An affine map (M?, B, 2, 3) says where each place of the new image lies in the old one, both in pixels from the
centre, right and down: (x, y) ← (xx·x + xy·y + dx, yx·x + yy·y + dy).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tauten.draws import Draws
from tauten.tensors import lead

RGB = 0.299, 0.587, 0.114
"""Weights of luminance (ITU-R BT.601), as in torchvision: what is left of three channels without colours."""


def uniform(r: Draws, x: Tensor, count: int = 1) -> tuple[Tensor, ...]:
    """So many numbers on [0, 1) for each image, (M?, B) each."""
    return r.uniform(x.new_zeros((*x.shape[:-3], count))).unbind(-1)


def signed(r: Draws, x: Tensor, count: int = 1) -> tuple[Tensor, ...]:
    """So many numbers on [−1, 1) for each image, (M?, B) each."""
    return tuple(2 * u - 1 for u in uniform(r, x, count))


def affine(
    x: Tensor,
    *,
    xx: float | Tensor = 1.0,
    xy: float | Tensor = 0.0,
    dx: float | Tensor = 0.0,
    yx: float | Tensor = 0.0,
    yy: float | Tensor = 1.0,
    dy: float | Tensor = 0.0,
) -> Tensor:
    """The map of these entries, numbers or (M?, B), for the images of x."""
    entries = [torch.as_tensor(v, dtype=x.dtype, device=x.device) for v in (xx, xy, dx, yx, yy, dy)]
    return torch.stack([v.expand(x.shape[:-3]) for v in entries], -1).reshape(*x.shape[:-3], 2, 3)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """The map of an image that is changed by `first` and the result by `then`."""
    linear = first[..., :1] * then[..., :1, :] + first[..., 1:2] * then[..., 1:, :]
    return linear + F.pad(first[..., 2:], (2, 0))


def resample(x: Tensor, maps: Tensor) -> Tensor:
    """Every image under its own map, bilinear; an image whose map is the identity stays to the bit.

    Outside, an image goes on as its border does: black is not known of standardized pixels, and would add an edge.
    """
    height, width = x.shape[-2:]
    across, down = (torch.arange(n, dtype=x.dtype, device=x.device) - (n - 1) / 2 for n in (width, height))
    # In the units of grid_sample, −1 to 1 from edge to edge. Not by affine_grid: its product's bits may depend on the
    # number of images, and sums of pairs as complex numbers are many times faster.
    scale = torch.tensor([2 / width, 2 / height], dtype=x.dtype, device=x.device)
    xs, ys, by = (torch.view_as_complex(column * scale).unsqueeze(-1) for column in maps.unbind(-1))
    places = torch.view_as_real((ys * down + by).unsqueeze(-1) + (xs * across).unsqueeze(-2))
    flat, grid = x.reshape(-1, *x.shape[-3:]), places.reshape(-1, height, width, 2)
    moved = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    still = (maps == affine(x)).flatten(-2).all(-1)
    return select(still, x, moved.reshape(x.shape))


def select(on: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` for the images where `on` (M?, B), else `b`, exactly."""
    return torch.where(on[..., None, None, None], a, b)


def recolour(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Every image's contrast, then brightness, then saturation, then hue changed; all values (M?, B).

    `contrast` multiplies the distance from each channel's own mean, `brightness` is added. On three channels only,
    `saturation` multiplies the distance from grey, and `hue` is an angle by which colours turn about the axis of greys.
    """
    offset = (1 - contrast[..., None]) * x.mean((-2, -1)) + brightness[..., None]
    if x.shape[-3] != 3:
        return torch.addcmul(offset[..., None, None], x, lead(contrast, x))
    # R turns and leaves greys as they are, so R (s I + (1 − s) 1 wᵀ) = s R + (1 − s) 1 wᵀ.
    cos, sin, share = (v[..., None, None] for v in (hue.cos(), hue.sin(), saturation))
    one, cross = torch.eye(3, dtype=x.dtype, device=x.device), x.new_tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    turn = cos * one + (1 - cos) / 3 + sin / math.sqrt(3) * cross
    matrix = share * turn + (1 - share) * x.new_tensor(RGB)
    new = (matrix * offset[..., None, :]).sum(-1)[..., None, None]
    for column, channel in zip((contrast[..., None, None] * matrix).unbind(-1), x.unbind(-3), strict=True):
        new = torch.addcmul(new, column[..., None, None], channel.unsqueeze(-3))
    return new


def smooth(x: Tensor, weights: Tensor) -> Tensor:
    """Each image convolved along both axes by its own symmetric kernel: weights (M?, B, R + 1), the centre first.

    Outside, an image goes on as its border does.
    """
    reach, planes = weights.shape[-1] - 1, x.shape[:-2].numel()
    kernel = torch.cat((weights.flip(-1)[..., :-1], weights), -1).unsqueeze(-2)
    kernel = kernel.expand(*x.shape[:-2], kernel.shape[-1]).reshape(planes, 1, -1, 1)
    wide = F.pad(x.reshape(1, planes, *x.shape[-2:]), (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(wide, kernel, groups=planes), kernel.mT, groups=planes).reshape(x.shape)


def box(x: Tensor, down: Tensor, across: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """True inside a box (M?, B, 1, H, W); its centre, from 0 to 1 over the image, and its sides in pixels are (M?, B).

    A pixel is inside where its own centre is; what of the box lies outside the image is cut off.
    """
    inside = []
    for size, centre, side in ((x.shape[-2], down, height), (x.shape[-1], across, width)):
        places = torch.arange(size, dtype=x.dtype, device=x.device) + 0.5
        inside.append((places - (centre * size).unsqueeze(-1)).abs() < (side / 2).unsqueeze(-1))
    return (inside[0].unsqueeze(-1) & inside[1].unsqueeze(-2)).unsqueeze(-3)
