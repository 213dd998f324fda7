"""Regression targets in standard deviations from their mean."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tauten.errors import DataError


@dataclass(frozen=True)
class TargetScale:
    """A regression target's mean and standard deviation over the training rows."""

    mean: float
    std: float

    @classmethod
    def fit(cls, y: npt.ArrayLike) -> "TargetScale":
        """Of the training part's targets (n,); a constant target is scaled by 1.

        >>> TargetScale.fit([1.0, 3.0])
        TargetScale(mean=2.0, std=1.0)
        """
        values = np.asarray(y, dtype=np.float64)
        constant = values.min() == values.max()
        return cls(float(values.mean()), 1.0 if constant else float(values.std()))

    def scale(self, y: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Targets (n,) in standard deviations from the mean."""
        return ((np.asarray(y, dtype=np.float64) - self.mean) / self.std).astype(np.float32)

    def restore(self, scaled: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predictions in the target's own unit, the inverse of `scale`."""
        return np.asarray(scaled, dtype=np.float64) * self.std + self.mean

    def to_json(self) -> dict[str, float]:
        """Plain JSON."""
        return {"mean": self.mean, "std": self.std}

    @classmethod
    def from_json(cls, stored: dict[str, float]) -> "TargetScale":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            return cls(float(stored["mean"]), float(stored["std"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the stored target scale can't be read ({error!r}): expected 'mean' and 'std', so fit it anew"
            ) from error
