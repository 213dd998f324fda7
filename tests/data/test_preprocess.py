"""Preprocessing: right against scikit-learn, honest between folds, the same after a round trip."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, RobustScaler, StandardScaler

from tauten.data import Layout, Preprocessor, TargetScale, from_arrays, load
from tauten.errors import DataError


def clipped(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def fitted(frame: pd.DataFrame) -> Preprocessor:
    return Preprocessor.fit(frame, Layout.of(frame))


@pytest.fixture
def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [20.0, 30.0, None, 50.0, 100.0, 40.0],
            "member": [True, False, True, True, False, False],
            "town": ["Ghent", "Bonn", None, "Ghent", "Oslo", "Bonn"],
        }
    )


def test_numbers_agree_with_scikit_learn():
    X = load("breast_cancer").frame
    X = X.mask(np.random.default_rng(0).random(X.shape) < 0.1)
    train, rest = X[:400], X[400:]
    scaler = RobustScaler()
    imputer = SimpleImputer(strategy="median", add_indicator=False)
    scaler.fit(train.to_numpy())
    imputer.fit(train)
    wanted = clipped(scaler.transform(imputer.transform(rest)))

    layout = Layout.of(X)
    assert layout.width == 60
    out = Preprocessor.fit(train, layout).transform(rest)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[:, 0::2], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(out[:, 1::2], rest.isna())


def test_categories_agree_with_scikit_learn(mixed):
    encoder = OneHotEncoder(sparse_output=False).fit(mixed[["town"]])
    np.testing.assert_array_equal(fitted(mixed[["town"]]).transform(mixed), encoder.transform(mixed[["town"]]))


def test_mixed_table_by_hand(mixed):
    out = fitted(mixed).transform(mixed)
    # age: median 40, quartiles 30 and 50; member: median 1/2, quartiles 0 and 1; then Bonn, Ghent, Oslo, missing
    age = np.array([20, 30, 40, 50, 100, 40.0])
    wanted = np.column_stack(
        [
            clipped((age - 40) / 20),
            [0, 0, 1, 0, 0, 0],
            clipped(np.array([0.5, -0.5, 0.5, 0.5, -0.5, -0.5])),
            [0, 1, 0, 0, 0, 1],
            [1, 0, 0, 1, 0, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 1, 0, 0, 0],
        ]
    )
    np.testing.assert_allclose(out, wanted, rtol=1e-6)


def test_a_fold_learns_from_its_training_rows_alone(mixed):
    layout = Layout.of(mixed)
    train = mixed.iloc[[0, 1, 3, 5]]
    fold = Preprocessor.fit(train, layout)
    # Other values in the scored rows, but of the same layout, teach it nothing.
    assert Preprocessor.fit(train.copy(), Layout.of(mixed.assign(age=[20, 30, None, 50, -7e5, 40.0]))) == fold
    out = fold.transform(mixed)
    assert out.shape == (6, layout.width)
    assert out[4, 3:].tolist() == [0, 0, 0, 0], "Oslo is unknown in this fold"
    assert out[2].tolist() == pytest.approx([0, 0, clipped(0.5), 0, 0, 0, 0]), "and so is missingness"


def test_rare_categories_share_a_column():
    towns = [f"t{i:02}" for i in range(67) for _ in range(80 - i)]
    frame = pd.DataFrame({"town": towns})
    layout = Layout.of(frame)
    assert layout.width == 65
    assert layout.columns[0].categories == tuple(f"t{i:02}" for i in range(64))
    asked = pd.DataFrame({"town": ["t63", "t64", "t65", "t66", "new", None]})
    out = Preprocessor.fit(frame[frame.town != "t66"], layout).transform(asked)
    assert out.sum(axis=1).tolist() == [1, 1, 1, 1, 1, 0]
    assert out[1:5, 64].tolist() == [1, 1, 1, 1], "what is new is rare"
    frequent = Preprocessor.fit(frame[frame.town < "t64"], layout)
    assert frequent.transform(asked).sum(axis=1).tolist() == [1, 0, 0, 0, 0, 0], "training saw no rare label"


def test_prediction_time_takes_what_it_can(mixed):
    complete = mixed.dropna()
    preprocessor = fitted(complete)
    other_order = complete[["town", "member", "age"]].assign(extra="ignored")
    np.testing.assert_array_equal(preprocessor.transform(other_order), preprocessor.transform(complete))
    gaps = preprocessor.transform(pd.DataFrame({"age": [None], "member": [None], "town": [None]}))
    assert gaps.shape == (1, 5)
    assert gaps[0, 2:].tolist() == [0, 0, 0]
    at_median = preprocessor.transform(complete.iloc[:1].assign(age=complete.age.median()))
    assert gaps[0, 0] == at_median[0, 0]
    assert preprocessor.transform(complete[:0]).shape == (0, 5)


@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_every_text_type_transforms_alike(mixed, dtype):
    as_type = mixed.astype({"town": dtype})
    assert fitted(as_type) == fitted(mixed)
    np.testing.assert_array_equal(fitted(mixed).transform(as_type), fitted(mixed).transform(mixed))


def test_whole_numbers_as_labels_match_their_text():
    preprocessor = fitted(pd.DataFrame({"code": ["1", "2", "x"]}))
    wanted = [[1, 0, 0], [0, 1, 0]]
    assert preprocessor.transform(pd.DataFrame({"code": [1, 2]})).tolist() == wanted
    assert preprocessor.transform(pd.DataFrame({"code": [1.0, 2.0]})).tolist() == wanted


def test_what_does_not_fit_is_refused(mixed):
    preprocessor = fitted(mixed)
    with pytest.raises(DataError, match=r"lacks 2 of the 3 columns that training saw \('age', 'town'\): add them"):
        preprocessor.transform(mixed[["member"]])
    with pytest.raises(DataError, match="column 'age' holds 'old' in data row 2 where numbers were expected"):
        preprocessor.transform(mixed.astype({"age": object}).replace({"age": {30.0: "old"}}))
    with pytest.raises(DataError, match="column 'age' holds 1 infinite value, first in data row 1,"):
        preprocessor.transform(mixed.replace({"age": {20.0: np.inf}}))
    with pytest.raises(DataError, match=r"column 'town' holds dates where labels were expected"):
        preprocessor.transform(mixed.assign(town=pd.to_datetime(["2020-01-01"] * 6)))
    for broken in ({}, {"columns": [{}]}, {"columns": [{"layout": {"kind": "number"}, "learnt": {}}]}, {"columns": 3}):
        with pytest.raises(DataError, match="the stored preprocessing can't be read"):
            Preprocessor.from_json(broken)


EXTREME = [1e308, -1e308, 5e-324, 1e18, 0.1]


@given(
    st.lists(st.floats(allow_infinity=False, width=64) | st.sampled_from(EXTREME), min_size=1, max_size=12),
    st.lists(st.sampled_from([*"abcü", None]), min_size=12, max_size=12),
    st.integers(0, 12),
    st.sampled_from(["plain", "piecewise"]),
)
@settings(deadline=None, max_examples=150, derandomize=True)
def test_output_is_finite_and_the_round_trip_exact(values, towns, cut, numeric):
    frame = pd.DataFrame({"v": values, "t": pd.Series(towns[: len(values)], dtype=object)})
    preprocessor = Preprocessor.fit(frame[:cut], Layout.of(frame, numeric))
    out = preprocessor.transform(frame)
    assert np.isfinite(out).all()
    assert np.abs(out).max(initial=0) <= 3
    again = Preprocessor.from_json(json.loads(json.dumps(preprocessor.to_json(), allow_nan=False)))
    assert again == preprocessor
    assert again.transform(frame).tobytes() == out.tobytes()


def test_a_row_transforms_alone_as_among_others():
    frame = load("wine").frame
    preprocessor = fitted(frame)
    together = preprocessor.transform(frame)
    alone = np.vstack([preprocessor.transform(frame[i : i + 1]) for i in range(len(frame))])
    np.testing.assert_array_equal(alone, together)


def piecewise_by_hand(x, edges):
    """Equation 1 of Gorishniy et al. 2022: bin t is 0 below b[t-1], 1 above b[t], linear between; the ends go on."""
    bins = len(edges) - 1
    out = np.zeros(bins)
    for t in range(bins):
        share = (x - edges[t]) / (edges[t + 1] - edges[t])
        if x < edges[t] and t > 0:
            out[t] = 0
        elif x >= edges[t + 1] and t < bins - 1:
            out[t] = 1
        else:
            out[t] = min(max(share, -1), 2)
    return out


def test_piecewise_linear_encoding_by_hand():
    X = load("breast_cancer").frame[["mean area"]]
    train, layout = X[:400], Layout.of(X, "piecewise")
    assert layout.width == 16
    edges = np.quantile(train["mean area"], np.arange(17) / 16)
    asked = pd.DataFrame({"mean area": [*X["mean area"][400:], -1e6, 1e6, edges[0], edges[5], edges[-1]]})
    wanted = np.array([piecewise_by_hand(x, edges) for x in asked["mean area"]])
    np.testing.assert_allclose(Preprocessor.fit(train, layout).transform(asked), wanted, rtol=1e-5, atol=1e-6)


def test_piecewise_has_no_more_bins_than_values_and_keeps_its_width_in_every_fold():
    frame = pd.DataFrame({"few": [0.0, 1, 1, 3, None], "yes": [0.0, 1, 0, 1, 0]})
    layout = Layout.of(frame, "piecewise")
    assert [column.width for column in layout.columns] == [3, 1], "of two values nothing is to be binned"
    everything = Preprocessor.fit(frame, layout).transform(frame)
    # few: quantiles 0, 1, 3; the missing one stands at the median 1
    assert everything[:, :3].tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 0, 1]]
    np.testing.assert_allclose(everything[:, 3], [0, clipped(1), 0, clipped(1), 0], rtol=1e-6)
    fold = Preprocessor.fit(frame[1:3], layout)
    assert fold.transform(frame)[:, :3].tolist() == [[0, 0, 0]] * 5, "one value and none missing: nothing to tell apart"


def test_equal_quartiles_are_scaled_by_the_extremes():
    mostly_zero = pd.DataFrame({"count": [0.0] * 9 + [8.0]})
    out = fitted(mostly_zero).transform(mostly_zero)
    np.testing.assert_allclose(out[:, 0], [0] * 9 + [clipped(2)], rtol=1e-6)


def test_dates_are_days_in_whatever_form_they_come():
    frame = load_dates(["2024-01-01", "2024-01-03", "2024-01-05", None] * 3)
    preprocessor = fitted(frame)
    wanted = preprocessor.transform(frame)
    np.testing.assert_allclose(wanted[:3, 0], clipped(np.array([-0.5, 0, 0.5])), rtol=1e-6)
    assert wanted[3].tolist() == [0, 1]
    for form in (["01.01.2024", "03.01.2024", "5.1.2024", None], ["2024/01/01", "2024/01/03", "2024/01/05", "?"]):
        np.testing.assert_array_equal(preprocessor.transform(pd.DataFrame({"day": form * 3})), wanted)
    abroad = frame["day"].dt.tz_convert("Asia/Tokyo")
    np.testing.assert_array_equal(preprocessor.transform(pd.DataFrame({"day": abroad})), wanted)
    np.testing.assert_array_equal(
        preprocessor.transform(pd.DataFrame({"day": abroad.map(str)}).replace("NaT", "")), wanted
    )
    with pytest.raises(DataError, match="column 'day' holds '2024-02-30' in data row 1 where dates were expected"):
        preprocessor.transform(pd.DataFrame({"day": ["2024-02-30"]}))
    with pytest.raises(DataError, match="column 'day' holds '1/3/2024' in data row 2 where dates were expected"):
        preprocessor.transform(pd.DataFrame({"day": ["2024-01-01", "1/3/2024"]}))
    with pytest.raises(DataError, match="column 'day' holds 3 in data row 1 where dates were expected"):
        preprocessor.transform(pd.DataFrame({"day": [3, 4]}))
    with pytest.raises(DataError, match="holds dates written in several ways"):
        preprocessor.transform(pd.DataFrame({"day": ["2024-01-01", "31.01.2024"]}))


def load_dates(values):
    return from_arrays(pd.DataFrame({"day": values}), [0, 1, 1] * 4).frame


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e300, 0.0])
def test_a_constant_column_is_zero(value):
    assert fitted(pd.DataFrame({"c": [value] * 7})).transform(pd.DataFrame({"c": [value, 5.0]})).tolist() == [[0], [0]]


def test_target_scale():
    y = load("diabetes").y
    scale = TargetScale.fit(y)
    np.testing.assert_allclose(scale.scale(y), StandardScaler().fit_transform(y[:, None])[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scale.restore(scale.scale(y)), y, rtol=1e-6)
    assert TargetScale.from_json(json.loads(json.dumps(scale.to_json()))) == scale
    assert TargetScale.fit(np.full(7, 0.1)).std == 1.0
    several = np.column_stack([y, np.full(len(y), 0.1), y**2])
    each = TargetScale.fit(several)
    np.testing.assert_allclose(each.scale(several), StandardScaler().fit_transform(several), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(each.restore(each.scale(several)), several, rtol=1e-5)
    np.testing.assert_array_equal(each.unit, [y.std(), 1, (y**2).std()])
    assert TargetScale.from_json(json.loads(json.dumps(each.to_json()))) == each
    with pytest.raises(DataError, match="the stored target scale can't be read"):
        TargetScale.from_json({"mean": 1.0})
