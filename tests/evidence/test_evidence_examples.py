"""Every example in a docstring of `tauten.evidence` runs and shows what it says."""

import doctest
import importlib
import pkgutil

import pytest

import tauten.evidence

MODULES = [f"tauten.evidence.{module.name}" for module in pkgutil.iter_modules(tauten.evidence.__path__)]


@pytest.mark.parametrize("name", ["tauten.evidence", *MODULES])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
