"""The peers of `tables`, with their libraries' defaults on all cores; classes count alike for everyone.

Who takes class weights gets them. RealMLP takes none: it is trained for probabilities as its authors advise (the
validation's cross-entropy, no label smoothing) and decides by probability over the class's share, which is the best
decision for balanced accuracy; `realmlpraw` is its defaults as they are. It takes no missing numbers either: they are
the column's median.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.utils import compute_sample_weight
from tables_split import Answer, Split

Answers = Mapping[str, Answer]
"""By the name of the arm."""
STRENGTHS = 10.0 ** np.arange(-4, 5)
"""C of logistic regression; ridge takes its inverse."""
FOLDS = 5


def linear(split: Split, cores: int) -> Answers:
    """Logistic regression with C by cross-validation of the metric, or ridge by leaving one out."""
    train, test = split.numbers()
    if not split.balanced:
        return {"linear": Answer(RidgeCV(1 / STRENGTHS).fit(train, split.y).predict(test))}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=split.seed)
    model = LogisticRegression(class_weight="balanced", max_iter=500)
    found = GridSearchCV(model, {"C": STRENGTHS}, scoring=split.metric, cv=folds, n_jobs=cores).fit(train, split.y)
    return {"linear": _classes(found, test)}


def mlp(split: Split, cores: int) -> Answers:
    """scikit-learn's MLP; a number's target is standardized, as Tauten and RealMLP do it."""
    train, test = split.numbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are its default, and it says so
        if not split.balanced:
            net = TransformedTargetRegressor(MLPRegressor(random_state=split.seed), transformer=StandardScaler())
            return {"mlp": Answer(net.fit(train, split.y).predict(test))}
        model = MLPClassifier(random_state=split.seed)
        model.fit(train, split.y, sample_weight=compute_sample_weight("balanced", split.y))
    return {"mlp": _classes(model, test)}


def catboost(split: Split, cores: int) -> Answers:
    """CatBoost; categories are its own to encode."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    train, test = split.columns()
    labelled = list(train.select_dtypes("category"))
    given = {"random_seed": split.seed, "thread_count": cores, "verbose": False, "allow_writing_files": False}
    given["cat_features"] = labelled
    if not split.balanced:
        return {"catboost": Answer(CatBoostRegressor(**given).fit(train, split.y).predict(test))}
    return {"catboost": _classes(CatBoostClassifier(**given, auto_class_weights="Balanced").fit(train, split.y), test)}


def xgboost(split: Split, cores: int) -> Answers:
    """XGBoost with its own handling of categories and of missing numbers."""
    from xgboost import XGBClassifier, XGBRegressor

    train, test = split.columns()
    given: dict[str, Any] = {"random_state": split.seed, "n_jobs": cores, "enable_categorical": True}
    if not split.balanced:
        return {"xgboost": Answer(XGBRegressor(**given).fit(train, split.y).predict(test).astype(float))}
    codes = LabelEncoder().fit(split.y)
    model = XGBClassifier(**given)
    model.fit(train, codes.transform(split.y), sample_weight=compute_sample_weight("balanced", split.y))
    return {"xgboost": _probable(model.predict_proba(test), codes.classes_)}


def realmlp(split: Split, cores: int, name: str, folds: int = 1, weighted: bool = True) -> Answers:
    """RealMLP-TD of pytabkit: one network and a validation fifth, or an ensemble over folds."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    train, test = split.columns()
    numbers = train.select_dtypes("number").columns
    middle = train[numbers].median().fillna(0.0)
    train[numbers], test[numbers] = train[numbers].fillna(middle), test[numbers].fillna(middle)
    given: dict[str, Any] = {"device": "cpu", "random_state": split.seed, "n_threads": cores, "n_cv": folds}
    if not split.balanced:
        return {name: Answer(RealMLP_TD_Regressor(**given).fit(train, split.y).predict(test).ravel().astype(float))}
    probable = {"use_ls": False, "val_metric_name": "cross_entropy"} if weighted else {}
    own = _classes(RealMLP_TD_Classifier(**given, **probable).fit(train, split.y), test)
    shares = np.array([(split.y == c).mean() for c in own.classes])
    return {name: own.divided(shares) if weighted else own}


PEERS: Mapping[str, Callable[[Split, int], Answers]] = {
    "linear": linear,
    "mlp": mlp,
    "catboost": catboost,
    "xgboost": xgboost,
    "realmlp": partial(realmlp, name="realmlp"),
    "realmlp5": partial(realmlp, name="realmlp5", folds=FOLDS),
    "realmlpraw": partial(realmlp, name="realmlpraw", weighted=False),
}
NEEDS = {"catboost": "catboost", "xgboost": "xgboost"} | {name: "pytabkit" for name in PEERS if "realmlp" in name}


def _classes(model: Any, test: Any) -> Answer:
    return _probable(model.predict_proba(test), model.classes_)


def _probable(probabilities: Any, classes: Any) -> Answer:
    exact = np.asarray(probabilities, float)  # float32 rows sum to 1 by rounding only
    return Answer(exact / exact.sum(1, keepdims=True), tuple(map(str, classes)))
