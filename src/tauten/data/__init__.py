"""Tables: reading them, and turning their columns into numbers without looking at rows held back."""

from tauten.data.preprocess import Layout, Preprocessor, TargetScale
from tauten.data.tables import Table, as_frame, from_arrays, load

__all__ = ["Layout", "Preprocessor", "Table", "TargetScale", "as_frame", "from_arrays", "load"]
