"""Words and numbers of the report, as people write them."""

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

Json = Mapping[str, Any]
ARMS = ("plain", "usual", "chosen")
GREATER_IS_BETTER = ("accuracy", "balanced_accuracy", "f1", "auc", "r2")
METRICS = {
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "auc": "AUC",
    "brier": "Brier score",
    "rmse": "RMSE",
    "mse": "MSE",
    "mae": "MAE",
    "r2": "R²",
}


@dataclass(frozen=True)
class Names:
    """What the chosen metric is called where its figure stands, and where single rows' contributions are averaged.

    The race and its curves hold losses, lower is better: where more is better, one minus the metric. The ablation's
    gains are in the metric itself.
    """

    metric: str
    raw: str
    ablation: str
    shares_loss: bool

    @classmethod
    def of(cls, metric: str) -> "Names":
        """The names of a metric of result.json."""
        name = METRICS.get(metric, metric)
        raw = {"accuracy": "error rate", "balanced_accuracy": "balanced error rate"}.get(metric)
        raw = raw or (f"1 − {name}" if metric in GREATER_IS_BETTER else name)
        # Only cross-entropy is what both curves measure; elsewhere a gap between them would have no meaning.
        return cls(name, raw, name, metric == "log_loss")


def number(x: float | None, places: int | None = None, sign: bool = False) -> str:
    """A figure for people: fixed places where they are given, else four digits; a dash for what is not there.

    >>> number(-0.04567, 3), number(12345678.9), number(None), number(0.5, 2, sign=True)
    ('−0.046', '1.235e+07', '–', '+0.50')
    """
    if not known(x):
        return "–"
    plus = "+" if sign else ""
    text = f"{x:{plus}.4g}" if places is None or abs(x) >= 1e7 else f"{x:{plus},.{places}f}"
    # Only a leading minus is a sign; the one of an exponent stays as it is. Nothing is "−0.00".
    zero = not text.strip("+-0.,")
    return text.lstrip("+-") if zero else text.replace("-", "−", 1) if text.startswith("-") else text


def value(x: object) -> str:
    """A hyperparameter's value: yes and no for booleans, a dash for none.

    >>> value(True), value((0.1, 0.25)), value(None), value("cosine")
    ('yes', '0.1, 0.25', '–', 'cosine')
    """
    if isinstance(x, bool):
        return "yes" if x else "no"
    if isinstance(x, list | tuple):
        return ", ".join(map(value, x))
    return number(x) if x is None or isinstance(x, float) else str(x)


def seconds(x: float | None) -> str:
    """A duration in the unit that suits it.

    >>> seconds(0.26), seconds(32), seconds(754), seconds(7322)
    ('0.3 s', '32 s', '12 min 34 s', '2 h 2 min')
    """
    if not known(x):
        return "–"
    if round(x) < 60:
        return f"{x:.1f} s" if x < 10 else f"{x:.0f} s"
    whole = round(x)
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(techniques: Mapping[str, Json]) -> str:
    """A recipe's techniques in one line.

    >>> listed({"dropout": {"p": 0.2, "form": "inverted"}})
    'dropout (p 0.2, form inverted)'
    """
    parts = (f"{name} ({', '.join(f'{k} {value(v)}' for k, v in own.items())})" for name, own in techniques.items())
    return ", ".join(parts) or "no technique"


def places_for(intervals: Iterable[Json]) -> int:
    """Digits after the point that tell the narrowest interval's ends apart; 3 where none has a width."""
    ends = [(own["low"], own["high"]) for own in intervals]
    widths = [high - low for low, high in ends if known(low) and known(high) and high > low]
    return min(max(math.ceil(1.5 - math.log10(min(widths))), 0), 6) if widths else 3


def flags(e: Json) -> str:
    """The flags by which `tauten compare` reads and scores the data of result.json alike, its holdout aside.

    A metric of a person's own has no name on the command line.
    """
    said = {} if e["target"] == "target" else {"target": e["target"]}
    said |= {name: text for name, text in e["reading"].items() if name != "holdout_file"}
    usual = "rmse" if e["task"] == "regression" else "log_loss"
    if e["metric"] != usual and (e["metric"] in METRICS or e["metric"].startswith("pinball:")):
        said["metric"] = e["metric"]
    if e.get("class_weight"):
        said["class_weight"] = e["class_weight"]
    own = [v["own"] for v in e["chosen"]["techniques"].values() if ":" in v.get("own", "")]
    return "".join(
        f" --{k.replace('_', '-')} {shlex.quote(v)}" for k, v in (*said.items(), *(("augment", one) for one in own))
    )


def known(x: float | None) -> TypeGuard[float]:
    """Whether there is a finite figure; result.json has null where there is none."""
    return x is not None and math.isfinite(x)
