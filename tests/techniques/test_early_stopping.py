import math

import pytest

from tauten.technique import Stop
from tauten.techniques.early_stopping import EarlyStopping

NAN = math.nan
NO_IMPROVEMENT = [  # history, patience, stops now, best epoch
    ([], 2, False, 0),
    ([1.0], 2, False, 1),
    ([1.0, 0.5], 1, False, 2),
    ([1.0, 0.5, 0.6], 2, False, 2),
    ([1.0, 0.5, 0.6, 0.6], 2, True, 2),
    ([1.0, 0.5, 0.6, 0.55], 2, True, 2),  # better than the last, but no new best
    ([1.0, 0.5, 0.6, 0.4], 2, False, 4),
    ([0.5, 0.5, 0.5], 2, True, 1),  # equal is no improvement
    ([0.5, 0.5], 1, True, 1),
    ([1.0, NAN, NAN], 2, True, 1),
    ([NAN, NAN, 0.5], 2, False, 3),
    ([NAN, NAN], 1, True, 1),
    ([1.0, NAN, 0.9], 2, False, 3),
    ([math.inf, 1.0], 1, False, 2),
]
RISES = [
    ([], 2, False, 0),
    ([1.0], 1, False, 1),
    ([1.0, 1.1], 1, True, 1),
    ([1.0, 1.1], 2, False, 1),
    ([1.0, 1.1, 1.2], 2, True, 1),
    ([1.0, 1.1, 1.0, 1.1], 2, False, 1),  # the rises must be consecutive
    ([1.0, 1.1, 1.1], 2, False, 1),  # standing still is no rise
    ([1.0, 0.9, 0.8, 0.9, 1.0], 2, True, 3),
    ([1.0, 0.9, 0.95, 0.94], 1, False, 2),
    ([1.0, NAN, 1.1], 1, False, 1),
]


@pytest.mark.parametrize(("history", "patience", "now", "best"), NO_IMPROVEMENT)
def test_no_improvement(history, patience, now, best):
    assert EarlyStopping(patience=patience).stop(history) == Stop(now, best)


@pytest.mark.parametrize(("history", "patience", "now", "best"), RISES)
def test_rises(history, patience, now, best):
    assert EarlyStopping(patience=patience, mode="rises").stop(history) == Stop(now, best)


@pytest.mark.parametrize("mode", ["no_improvement", "rises"])
def test_off_never_stops_and_keeps_the_last_epoch(mode):
    rising = [float(i) for i in range(50)]
    assert EarlyStopping(patience=0, mode=mode).stop(rising) == Stop(False, 50)


@pytest.mark.parametrize("patience", [1, 2, 7])
def test_it_stops_at_the_first_epoch_that_allows_it(patience):
    history = [1.0, 0.9, 0.8, *[0.81 + 0.01 * i for i in range(20)]]
    stops = [n for n in range(1, len(history) + 1) if EarlyStopping(patience=patience).stop(history[:n]).now]
    assert stops[0] == 3 + patience
