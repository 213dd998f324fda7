"""Which of the built-in networks a setting means."""

from collections.abc import Sequence

from tauten.errors import RecipeError
from tauten.nets.convnet import ConvNet
from tauten.nets.mlp import MLP
from tauten.setting import Setting
from tauten.technique import Technique


def convolves(setting: Setting, inputs: Sequence[int]) -> bool:
    """Whether it is the convnet, for rows of this shape: by itself for images, (C, H, W).

    >>> convolves(Setting(), (1, 28, 28)), convolves(Setting(net="mlp"), (1, 28, 28)), convolves(Setting(), (30,))
    (True, False, False)

    Raises RecipeError where a convnet is asked for and rows are no images.
    """
    if setting.net == "convnet" and len(inputs) < 2:
        raise RecipeError(
            "setting.net is 'convnet' and rows are lists of numbers; give images (rows, channels, height, width), or "
            "take net = 'mlp'."
        )
    return setting.net == "convnet" or (setting.net == "auto" and len(inputs) == 3)


def built_in(
    inputs: Sequence[int], outputs: int, setting: Setting, structure: Sequence[Technique], precision: str = "fp32"
) -> MLP | ConvNet:
    """The network of a setting, for rows of this shape; `precision` is that of a convnet's convolutions in training."""
    if convolves(setting, inputs):
        return ConvNet(inputs, outputs, setting, structure, precision)
    return MLP(inputs, outputs, setting, structure)
