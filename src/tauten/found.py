"""What a search hands on to its result and report."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tauten.cells import Arm
from tauten.contest import Field
from tauten.data import Table
from tauten.evidence import Agreement, Choice, Difference, Ingredient, Verdict
from tauten.finals import Plan, Scores
from tauten.metrics import Metric
from tauten.model import Model
from tauten.options import Options
from tauten.trial import Trial


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """Everything a search found out; the first of `metrics` is the one that decided."""

    table: Table
    options: Options
    metrics: tuple[Metric, ...]
    plan: Plan
    chosen: Arm
    plain: Arm
    usual: Arm
    choice: Choice | None
    field: Field
    finals: Mapping[str, Scores]
    holdout: Mapping[str, Mapping[str, np.ndarray]]
    holdout_clusters: np.ndarray | None
    differences: Mapping[str, Difference]
    verdict: Verdict
    agreement: Agreement
    ablation: tuple[Ingredient, ...]
    model: Model
    n_train: int
    n_holdout: int
    trials: tuple[Trial, ...]
    sampler: str
    folds: int
    precision: str
    engine: str
    network: str
    gradient_evaluations: int
    seconds: dict[str, float]
    race_seconds: dict[str, float]
    train_seconds_ratio: float
    holdout_too_small: bool
    traits: Mapping[str, Any]
    translations: tuple[Mapping[str, Any], ...]
    flips: Mapping[str, Any] | None
    warnings: tuple[str, ...]
