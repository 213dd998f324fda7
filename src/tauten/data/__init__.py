"""Tables: reading them, and turning their columns into numbers without looking at rows held back."""

from tauten.data.frames import as_frame
from tauten.data.layout import Layout
from tauten.data.preprocess import Preprocessor
from tauten.data.read import read
from tauten.data.scale import TargetScale
from tauten.data.tables import Table, from_arrays, load

__all__ = ["Layout", "Preprocessor", "Table", "TargetScale", "as_frame", "from_arrays", "load", "read"]
