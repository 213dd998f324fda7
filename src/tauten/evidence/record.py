"""What every result of this package has in common: it is frozen and turns into JSON."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Record:
    """A result made of numbers, strings and other records."""

    def to_json(self) -> dict[str, object]:
        """Return nested dicts, lists and finite numbers only, ready for `json.dumps(..., allow_nan=False)`."""
        return asdict(self)
