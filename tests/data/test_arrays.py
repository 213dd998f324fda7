import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from tauten.data import ArrayPreprocessor, Layout, Preprocessor, check_network, from_arrays, learnt_from_json, of_arrays
from tauten.errors import DataError, OptionError

DIGITS = load_digits()
IMAGES = np.stack([DIGITS.images, DIGITS.images**2, 0 * DIGITS.images + 3], 1)[:50]


def test_channels_are_standardized_by_the_training_rows_alone():
    learnt = ArrayPreprocessor.fit(IMAGES[:30].astype(np.float32))
    for channel in (0, 1):
        want = StandardScaler().fit(IMAGES[:30, channel].reshape(-1, 1)).transform(IMAGES[:, channel].reshape(-1, 1))
        np.testing.assert_allclose(learnt.transform(IMAGES)[:, channel].ravel(), want.ravel(), atol=1e-4)
    assert not learnt.transform(IMAGES)[:, 2].any()
    assert of_arrays(IMAGES, DIGITS.target[:50]).learnt(np.arange(30), Layout(())) == learnt
    sequences = IMAGES[:, 0]
    want = StandardScaler().fit_transform(sequences.reshape(-1, 8)).reshape(sequences.shape)
    got = ArrayPreprocessor.fit(sequences.astype(np.float32)).transform(torch.from_numpy(sequences))
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_what_was_learnt_is_plain_json():
    learnt = ArrayPreprocessor.fit(IMAGES.astype(np.float32))
    assert learnt_from_json(learnt.to_json()) == learnt
    frame = from_arrays(DIGITS.data, DIGITS.target).frame
    table = from_arrays(DIGITS.data, DIGITS.target).learnt(np.arange(9), Layout.of(frame))
    assert isinstance(learnt_from_json(table.to_json()), Preprocessor)
    with pytest.raises(DataError, match="expected what ArrayPreprocessor"):
        ArrayPreprocessor.from_json({"shape": [1]})


def test_rows_of_equal_content_stay_together_and_hashes_know_the_content():
    X = np.concatenate([IMAGES, IMAGES[:5]])
    y = np.concatenate([DIGITS.target[:50], DIGITS.target[:5]])
    table = of_arrays(X, y, task="classification")
    assert (table.together[:5] == table.together[50:]).all()
    assert len(np.unique(table.row_hashes())) == 50
    order = np.random.default_rng(0).permutation(55)
    assert (table.take(order).row_hashes() == table.row_hashes()[order]).all()
    assert table.take(order).values.tolist() == table.values[order].tolist()
    assert table.take(np.arange(55)).content_hash() == table.content_hash()
    assert len({t.content_hash() for t in (table, table.take(order), of_arrays(X + 1, y), of_arrays(X, y[::-1]))}) == 4
    assert table.columns == 3 * 8 * 8


def test_targets_and_weights_are_read_as_beside_a_table():
    y = np.array(["odd", "even"])[DIGITS.target[:50] % 2]
    table = of_arrays(torch.from_numpy(IMAGES), y, sample_weight=np.arange(50))
    assert (table.classes, table.task, table.weights.tolist()) == (("even", "odd"), "classification", [*range(50)])
    several = of_arrays(IMAGES, pd.DataFrame({"a": DIGITS.data[:50, 3], "b": DIGITS.data[:50, 4]}) + 0.5)
    assert (several.targets, several.task) == (("a", "b"), "regression")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (IMAGES[:9], DIGITS.target[:9], "X has 9 rows: expected at least 10"),
        (IMAGES, DIGITS.target[:49], "X has 50 rows and y has 49 values"),
        (np.where(np.arange(50)[:, None, None, None] == 7, np.nan, IMAGES), DIGITS.target[:50], "not finite in row 8"),
        (IMAGES.astype(str), DIGITS.target[:50], "expected numbers with three axes or more"),
    ],
)
def test_bad_arrays_are_refused(X, y, message):
    with pytest.raises(DataError, match=message):
        of_arrays(X, y)


def test_repeated_rows_and_a_holdout_of_ones_own_are_checked_as_those_of_a_table_are():
    y = DIGITS.target[:50] % 3
    copies = of_arrays(np.concatenate([IMAGES, IMAGES[:4]]), np.concatenate([y, y[:4]]))
    assert copies.warnings[0].startswith("4 of 54 rows repeat another, target included (50 distinct)")
    relabelled = of_arrays(np.concatenate([IMAGES, IMAGES[:4]]), np.concatenate([y, (y[:4] + 1) % 3]))
    assert not relabelled.warnings
    table = of_arrays(IMAGES[:40], y[:40], held=(IMAGES[35:], y[35:]))
    assert table.warnings == ("5 of 15 rows of the holdout repeat a row of the data: they flatter",)
    np.testing.assert_array_equal(table.held, np.arange(55) >= 40)
    np.testing.assert_array_equal(table.y[40:], y[35:])
    with pytest.raises(DataError, match="class '3' is in the holdout alone: expected rows of it in data too"):
        of_arrays(IMAGES[:40], y[:40], held=(IMAGES[40:], y[40:] + 1))
    with pytest.raises(DataError, match="the holdout has no rows"):
        of_arrays(IMAGES, y, held=(IMAGES[:0], y[:0]))


def test_colours_on_the_last_axis_are_told():
    (said,) = of_arrays(np.moveaxis(IMAGES, 1, -1), DIGITS.target[:50] % 3).warnings
    assert said.startswith("X has shape (50, 8, 8, 3) and was read as 8 channels of 8 × 3: where the last axis is")
    assert not of_arrays(IMAGES, DIGITS.target[:50] % 3).warnings


def test_rows_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"rows have the shape \(2, 8, 8\): expected \(3, 8, 8\)"):
        ArrayPreprocessor.fit(IMAGES.astype(np.float32)).transform(IMAGES[:, :2])


def test_the_built_in_networks_read_tables_and_images():
    check_network(of_arrays(IMAGES, DIGITS.target[:50]), False)
    check_network(from_arrays(DIGITS.data, DIGITS.target), False)
    table = of_arrays(IMAGES[:, 0], DIGITS.target[:50])
    check_network(table, True)
    with pytest.raises(OptionError, match=r"X has shape \(50, 8, 8\).* give model="):
        check_network(table, False)
