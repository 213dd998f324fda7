"""Tauten finds, applies and proves the regularization of a neural network.

>>> import tauten
>>> tauten.Recipe().names
()
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tauten.api import compare, resume, search
    from tauten.biasvariance import BiasVariance, bias_variance
    from tauten.callables import data_technique
    from tauten.explaining import Explanation, explain
    from tauten.inspecting import Inspection, inspect
    from tauten.nets.encoder import PretrainedEncoder
    from tauten.recipe import Recipe
    from tauten.result import Result
    from tauten.setting import Setting
    from tauten.technique import Technique

_HOMES = {
    "BiasVariance": "biasvariance",
    "Explanation": "explaining",
    "Inspection": "inspecting",
    "PretrainedEncoder": "nets.encoder",
    "Recipe": "recipe",
    "Result": "result",
    "Setting": "setting",
    "Technique": "technique",
    "bias_variance": "biasvariance",
    "compare": "api",
    "data_technique": "callables",
    "explain": "explaining",
    "inspect": "inspecting",
    "resume": "api",
    "search": "api",
}

__all__ = [
    "BiasVariance", "Explanation", "Inspection", "PretrainedEncoder", "Recipe", "Result", "Setting", "Technique",
    "bias_variance", "compare", "data_technique", "explain", "inspect", "resume", "search",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Names are imported when first used: `import tauten` stays quick."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'tauten' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tauten.{_HOMES[name]}"), name)
