"""Recorded answers that don't fit the run that is gone on with: told in a sentence, and never taken."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tauten.errors import RunError, UsageError
from tauten.journal import Journal
from tauten.lane import Lane
from tauten.shift import Shift

UNFIT = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What comes of an answer that has another form than was expected."""


def recall(answer: Mapping[str, Any], lanes: Mapping[str, Lane], shift: Shift) -> None:
    """What samplers had been asked by a recorded round, asked again; RunError where the round is not this shift's."""
    try:
        for lane, values in answer["asked"]:
            lanes[lane].recall(values)
        fits = [id for id, *_ in answer["members"]] == sorted(shift.training)
    except UNFIT as error:
        raise _foreign(f"a round that can't be taken up again ({type(error).__name__}: {error})") from error
    if not fits:
        raise _foreign("a round of other members than this race trains")


@contextmanager
def fitting(journal: Journal) -> Iterator[None]:
    """Inside, a recorded answer of another form than was expected ends in a RunError that says so."""
    try:
        yield
    except UNFIT as error:
        if isinstance(error, UsageError) or not journal.replaying:
            raise
        raise _foreign(f"what can't be taken up again ({type(error).__name__}: {error})") from error


def _foreign(what: str) -> RunError:
    return RunError(
        f"the journal records {what}: it was written by another version of Tauten or with other data; start anew in "
        "another --out."
    )
