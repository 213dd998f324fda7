"""The section on a recipe explained: costs, interactions, ranges; in words that the terminal shows too."""

from tauten.report.words import Json, known, number, places_for


def explanation(e: Json | None) -> dict[str, list[str]]:
    """Sentences on costs, interactions and ranges of explanation.json; no lists without one."""
    if not e:
        return {}
    return {
        "costs": [_cost(own) for own in e["costs"]],
        "interactions": [_interaction(own) for own in e["interactions"]],
        "ranges": [_range(own) for own in e["ranges"]],
        "notes": list(e["notes"]),
    }


def _cost(own: Json) -> str:
    low, high = number(own["training_low"], 2), number(own["training_high"], 2)
    inference = f"{number(own['inference_ms'], 2)} instead of {number(own['inference_ms_without'], 2)} ms"
    more = own["parameter_bytes"] - own["parameter_bytes_without"]
    memory = f"{number(more / 1024, 1, sign=True)} KiB of weights" if more else "no more memory"
    return (
        f"{own['technique']}: training takes {number(own['training_ratio'], 2)} × the time without it ({low} to {high} "
        f"in repeats), predicting 1,024 rows {inference}, {memory}."
    )


def _interaction(own: Json) -> str:
    gain = own["gain"]
    standing = "they add up, as far as can be told"
    if known(gain["low"]) and gain["low"] > 0:
        standing = "more than the sum of both"
    elif known(gain["high"]) and gain["high"] < 0:
        standing = "less than the sum of both"
    return f"{own['first']} and {own['second']}: {standing} ({_numbers(gain, 'gain')})."


def _range(own: Json) -> str:
    """Such as: dropout.p anywhere from 0.2 to 0.4 is within noise of 0.3."""
    inside = [n for n in own["tried"] if own["low"] <= n["value"] <= own["high"]]
    said = f"{own['name']}: none of the values tried is within noise of {number(own['chosen'])}"
    if inside:
        said = (
            f"{own['name']} anywhere from {number(own['low'])} to {number(own['high'])} is within noise of "
            f"{number(own['chosen'])}, at worst {number(own['worst'])} worse"
        )
    apart = [n for n in own["tried"] if n not in inside and not n["gain"]["low"] <= 0 <= n["gain"]["high"]]
    words = [
        f"{number(n['value'])} is {'better' if n['gain']['gain'] > 0 else 'worse'} ({_numbers(n['gain'], 'gain')})"
        for n in apart
    ]
    return "; ".join([said, *words]) + "."


def _numbers(gain: Json, key: str) -> str:
    places = places_for([gain])
    low, high = number(gain["low"], places, sign=True), number(gain["high"], places, sign=True)
    return f"{number(gain[key], places, sign=True)}, {low} to {high}"
