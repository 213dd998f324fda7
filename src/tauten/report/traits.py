"""The section on traits: what regularization changed in the networks beside their score."""

from typing import Any

from tauten.report.words import Json, known, places_for

GROUPS = {
    "Calibration": {
        "log_loss": ("Log loss", "of probabilities, lower is better"),
        "brier": ("Brier score", "squared error of probabilities, lower is better"),
        "calibration_error": ("Calibration error", "how far confidence lies from the share that is right (ECE)"),
    },
    "Stability": {
        "seed_disagreement": ("Unlike classes, two seeds", "share of rows where two trainings disagree"),
        "seed_distance": ("Distance, two seeds", "how far apart the predictions of two trainings lie"),
        "resample_disagreement": ("Unlike classes, two resamples", "the same for other folds and seeds, in finals B"),
        "resample_distance": ("Distance, two resamples", "the same for other folds and seeds, in finals B"),
    },
    "Robustness": {
        "noise_loss": ("Loss added by noise", "by how much noise on the inputs worsens the metric"),
        "noise_disagreement": ("Classes changed by noise", "share of rows"),
        "noise_distance": ("Distance moved by noise", "how far noise moves a prediction"),
    },
    "Weights and units": {
        "weight_participation": ("Weights in use", "share of weights that carry the norm: 1 if all are alike"),
        "weight_gini": ("Inequality of weights", "Gini index of their sizes: 0 if all are alike"),
        "weight_zeros": ("Weights at exactly 0", "share"),
        "co_adaptation": ("Co-adaptation", "mean absolute correlation of two hidden units"),
    },
}


def traits(e: Json) -> list[dict[str, Any]]:
    """The rows of the table, in groups; a trait without figures is left out."""
    measured = e.get("traits", {}).get("measured", {})
    groups = []
    for group, names in GROUPS.items():
        rows = [
            _row(*words, measured[name]) for name, words in names.items() if any((measured.get(name) or {}).values())
        ]
        groups += [{"name": group, "rows": rows}] if rows else []
    return groups


def _row(label: str, meaning: str, own: Json) -> dict[str, Any]:
    parts = [own[k] for k in ("plain", "chosen", "change")]
    return {
        "label": label,
        "meaning": meaning,
        "places": places_for([parts[2]] if parts[2] else [p for p in parts if p]),
        "plain": parts[0],
        "chosen": parts[1],
        "change": parts[2],
        "told": bool(parts[2]) and _excludes_zero(parts[2]),
    }


def _excludes_zero(own: Json) -> bool:
    low, high = own["low"], own["high"]
    return known(low) and known(high) and (low > 0 or high < 0)
