"""Regression targets in standard deviations from their mean."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tauten.errors import DataError

Each = float | tuple[float, ...]


@dataclass(frozen=True)
class TargetScale:
    """A regression target's mean and standard deviation over the training rows; of several targets, a tuple of each."""

    mean: Each
    std: Each

    @classmethod
    def fit(cls, y: npt.ArrayLike) -> "TargetScale":
        """Of the training part's targets (n,) or (n, K); a constant target is scaled by 1.

        >>> TargetScale.fit([1.0, 3.0]), TargetScale.fit([[1.0, 5.0], [3.0, 5.0]])
        (TargetScale(mean=2.0, std=1.0), TargetScale(mean=(2.0, 5.0), std=(1.0, 1.0)))
        """
        values = np.asarray(y, dtype=np.float64)
        constant = values.min(0) == values.max(0)
        return cls(_each(values.mean(0)), _each(np.where(constant, 1.0, values.std(0))))

    @property
    def unit(self) -> float | npt.NDArray[np.float64]:
        """What the targets are divided by: one number, or one for each target (K,)."""
        return np.array(self.std) if isinstance(self.std, tuple) else self.std

    def scale(self, y: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Targets (n,) or (n, K) in standard deviations from the mean."""
        return np.asarray((np.asarray(y, dtype=np.float64) - np.array(self.mean)) / self.unit, dtype=np.float32)

    def restore(self, scaled: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predictions in the targets' own units, the inverse of `scale`."""
        return np.asarray(np.asarray(scaled, dtype=np.float64) * self.unit + np.array(self.mean))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"mean": _listed(self.mean), "std": _listed(self.std)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "TargetScale":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            mean, std = (_each(np.asarray(stored[key], dtype=np.float64)) for key in ("mean", "std"))
            return cls(mean, std)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the stored target scale can't be read ({error!r}): expected 'mean' and 'std', so fit it anew"
            ) from error


def _each(values: npt.ArrayLike) -> Each:
    array = np.asarray(values)
    return float(array) if array.ndim == 0 else tuple(map(float, array))


def _listed(values: Each) -> float | list[float]:
    return list(values) if isinstance(values, tuple) else values
