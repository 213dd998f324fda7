"""What a fold's training rows taught, whatever the kind of data."""

from typing import Any

from tauten.data.arrays import ArrayPreprocessor
from tauten.data.preprocess import Preprocessor
from tauten.data.texts import TextPreprocessor
from tauten.data.vectors import VectorPreprocessor

Learnt = Preprocessor | ArrayPreprocessor | TextPreprocessor | VectorPreprocessor
"""What turns rows into inputs of a network."""


def learnt_from_json(stored: dict[str, Any]) -> Learnt:
    """What any of the preprocessors wrote; raises DataError for anything else."""
    if "vocabulary" in stored:
        return TextPreprocessor.from_json(stored)
    if "embedded" in stored:
        return VectorPreprocessor.from_json(stored)
    return ArrayPreprocessor.from_json(stored) if "shape" in stored else Preprocessor.from_json(stored)
