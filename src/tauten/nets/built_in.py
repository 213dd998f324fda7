"""Which of the built-in networks a setting means."""

from collections.abc import Sequence

from tauten.errors import RecipeError
from tauten.nets.convnet import ConvNet
from tauten.nets.mlp import MLP
from tauten.nets.textnet import Bag, Bigrams, Kim
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.text.layout import TextLayout

TEXT: dict[str, type[Bag] | type[Kim]] = {"bag": Bag, "bigrams": Bigrams, "kim": Kim}
"""The networks of text by the setting's word for them."""
AUTO = {"tables": "mlp", "images": "convnet", "text": "bigrams"}
"""Which network `auto` is, by the kind of data."""


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
    inputs: Sequence[int],
    outputs: int,
    setting: Setting,
    structure: Sequence[Technique],
    precision: str = "fp32",
    layout: TextLayout | None = None,
) -> MLP | ConvNet | Bag | Kim:
    """The network of a setting, for rows of this shape, or for text laid out so; RecipeError where it can't read them.

    `precision` is that of a convnet's convolutions in training.

    >>> type(built_in((1, 16), 2, Setting(net="kim"), (), layout=TextLayout(length=16, ids=2000))).__name__
    'Kim'
    """
    if layout is not None:
        if setting.net not in ("auto", *TEXT):
            raise RecipeError(
                f"setting.net is {setting.net!r} and rows are text; take auto or one of {', '.join(TEXT)}."
            )
        return TEXT[AUTO["text"] if setting.net == "auto" else setting.net](layout, outputs, setting, structure)
    if setting.net in TEXT:
        raise RecipeError(f"setting.net is {setting.net!r} and rows are no text; name columns of text, or take auto.")
    if convolves(setting, inputs):
        return ConvNet(inputs, outputs, setting, structure, precision)
    return MLP(inputs, outputs, setting, structure)
