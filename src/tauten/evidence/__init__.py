"""Why to believe a recipe: intervals, verdicts, ablation, calibration. NumPy and SciPy only.

>>> from tauten.evidence import compare
>>> compare([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).mean
0.0
"""

from tauten.evidence.ablation import Gain, Ingredient, ablation, holm
from tauten.evidence.bootstrap import bootstrap_compare
from tauten.evidence.calibration import (
    Bin,
    Calibration,
    brier_scores,
    calibration,
    expected_calibration_error,
    log_losses,
    reliability,
)
from tauten.evidence.clusters import time_blocks
from tauten.evidence.intervals import (
    Components,
    Difference,
    Estimate,
    compare,
    interval,
    too_small,
    variance_components,
)
from tauten.evidence.losing import Lost, lost
from tauten.evidence.resampled import CorrectedDifference, corrected_difference
from tauten.evidence.selection import Choice, one_standard_error
from tauten.evidence.verdict import Agreement, Verdict, grade, holdout_agrees, verdict

__all__ = [
    "Agreement",
    "Bin",
    "Calibration",
    "Choice",
    "Components",
    "CorrectedDifference",
    "Difference",
    "Estimate",
    "Gain",
    "Ingredient",
    "Lost",
    "Verdict",
    "ablation",
    "bootstrap_compare",
    "brier_scores",
    "calibration",
    "compare",
    "corrected_difference",
    "expected_calibration_error",
    "grade",
    "holdout_agrees",
    "holm",
    "interval",
    "log_losses",
    "lost",
    "one_standard_error",
    "reliability",
    "time_blocks",
    "too_small",
    "variance_components",
    "verdict",
]
