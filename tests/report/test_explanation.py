"""Sentences on a recipe explained."""

from tauten.report.explanation import explanation

NONE = {"gain": 0.0, "low": -0.1, "high": 0.1, "p": 1.0}
BETTER = {"gain": 0.5, "low": 0.2, "high": 0.8, "p": 0.01}
WORSE = {"gain": -0.5, "low": -0.8, "high": -0.2, "p": 0.01}


def test_ranges_say_what_is_within_noise_how_much_may_be_lost_and_what_is_not() -> None:
    tried = [{"value": 0.1, "gain": WORSE}, {"value": 0.2, "gain": NONE}, {"value": 0.4, "gain": NONE}]
    own = {"name": "dropout.p", "chosen": 0.3, "low": 0.2, "high": 0.4, "worst": 0.1, "tried": tried}
    alone = {
        "name": "l2.strength",
        "chosen": 1.0,
        "low": 1.0,
        "high": 1.0,
        "worst": 0.0,
        "tried": [{"value": 2.0, "gain": BETTER}],
    }
    e = {"costs": [], "interactions": [], "ranges": [own, alone], "notes": []}
    assert explanation(e)["ranges"] == [
        "dropout.p anywhere from 0.2 to 0.4 is within noise of 0.3, at worst 0.1 worse; 0.1 is worse (−0.50, −0.80 to "
        "−0.20).",
        "l2.strength: none of the values tried is within noise of 1; 2 is better (+0.50, +0.20 to +0.80).",
    ]


def test_interactions_and_costs() -> None:
    cost = {
        "technique": "sam", "training_ratio": 2.0, "training_low": 1.9, "training_high": 2.11, "inference_ms": 1.0,
        "inference_ms_without": 1.0, "parameter_bytes": 3072, "parameter_bytes_without": 1024,
    }  # fmt: skip
    both = [{"first": "a", "second": "b", "gain": g} for g in (NONE, BETTER, WORSE)]
    found = explanation({"costs": [cost], "interactions": both, "ranges": [], "notes": ["x diverged."]})
    assert found["costs"] == [
        "sam: training takes 2.00 × the time without it (1.90 to 2.11 in repeats), predicting 1,024 rows 1.00 "
        "instead of 1.00 ms, +2.0 KiB of weights."
    ]
    assert found["interactions"][0] == "a and b: they add up, as far as can be told (0.000, −0.100 to +0.100)."
    assert "more than the sum" in found["interactions"][1]
    assert "less than the sum" in found["interactions"][2]
    assert found["notes"] == ["x diverged."]
    assert explanation(None) == {}
