"""Tables: reading them, and turning their columns into numbers without looking at rows held back."""

from tauten.data.arrays import (
    ArrayPreprocessor,
    Arrays,
    check_network,
    has_axes,
    of_arrays,
)
from tauten.data.datasets import given
from tauten.data.documents import holds_texts, texts_alone, texts_in
from tauten.data.frames import as_frame
from tauten.data.images import holds_images, images, images_alone
from tauten.data.layout import Layout
from tauten.data.learnt import Learnt, learnt_from_json
from tauten.data.preprocess import Preprocessor
from tauten.data.read import read
from tauten.data.scale import TargetScale
from tauten.data.spelling import Spelling
from tauten.data.table import Table
from tauten.data.tables import from_arrays, load
from tauten.data.texts import TextPreprocessor, TextTable
from tauten.data.vectors import Encoder, VectorPreprocessor

__all__ = [
    "ArrayPreprocessor",
    "Arrays",
    "Encoder",
    "Layout",
    "Learnt",
    "Preprocessor",
    "Spelling",
    "Table",
    "TargetScale",
    "TextPreprocessor",
    "TextTable",
    "VectorPreprocessor",
    "as_frame",
    "check_network",
    "from_arrays",
    "given",
    "has_axes",
    "holds_images",
    "holds_texts",
    "images",
    "images_alone",
    "learnt_from_json",
    "load",
    "of_arrays",
    "read",
    "texts_alone",
    "texts_in",
]
