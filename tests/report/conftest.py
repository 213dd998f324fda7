"""Real evidence for the report: a small search of each kind, run once."""

import json
from typing import Any

import pytest

import tauten
from tauten.result import to_text

Evidence = dict[str, Any]


@pytest.fixture(scope="session")
def found() -> tauten.Result:
    return tauten.search("wine", trials=6, sampler="random", threads=1, setting={"epochs": 8, "width": 16})


@pytest.fixture(scope="session")
def regression() -> Evidence:
    result = tauten.search("diabetes", trials=3, threads=1, setting={"epochs": 2, "width": 8})
    read: Evidence = json.loads(to_text(result.evidence))
    return read


@pytest.fixture
def evidence(found: tauten.Result) -> Evidence:
    """A copy that a test may edit."""
    read: Evidence = json.loads(to_text(found.evidence))
    return read


@pytest.fixture
def outside() -> str:
    """What a column, a file or a message could be called."""
    return "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"> & $x^2$"


@pytest.fixture
def hostile(evidence: Evidence, outside: str) -> Evidence:
    """Text from outside in every place that can hold some."""
    e = evidence
    e["source"] = e["data_hash"] = outside
    e["warnings"] = [outside]
    e["versions"][outside] = outside
    e["chosen"]["techniques"][outside] = {outside: outside}
    e["agreement"]["sentence"] = e["difference"]["note"] = outside
    e["choice"]["reasons"].append(outside)
    e["ablation"].append({**e["ablation"][0], "technique": outside})
    side = {"text": outside, "class": outside, "probability": 0.5}
    example = {"label": outside, "before": {**side, "text": "as it was"}, "after": side}
    e["flips"] = {"techniques": [outside], "changed": 4, "flipped": 1, "examples": [example]}
    e["translations"] = [{"via": outside, "texts": 4, "unchanged": 1, "foreign": 1, "foreign_words": 2}]
    return e
