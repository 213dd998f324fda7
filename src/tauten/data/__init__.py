"""Tables: reading them, and turning their columns into numbers without looking at rows held back."""

from tauten.data.arrays import (
    ArrayPreprocessor,
    Arrays,
    Learnt,
    check_network,
    has_axes,
    learnt_from_json,
    of_arrays,
)
from tauten.data.datasets import given
from tauten.data.frames import as_frame
from tauten.data.images import holds_images, images, images_alone
from tauten.data.layout import Layout
from tauten.data.preprocess import Preprocessor
from tauten.data.read import read
from tauten.data.scale import TargetScale
from tauten.data.tables import Table, from_arrays, load

__all__ = [
    "ArrayPreprocessor",
    "Arrays",
    "Layout",
    "Learnt",
    "Preprocessor",
    "Table",
    "TargetScale",
    "as_frame",
    "check_network",
    "from_arrays",
    "given",
    "has_axes",
    "holds_images",
    "images",
    "images_alone",
    "learnt_from_json",
    "load",
    "of_arrays",
    "read",
]
