"""The page from real searches, whole and with pieces missing; what people and browsers see in it."""

import base64
import copy
import html
import json
import math
import re
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import tauten
from tauten.report import render

VOID = {"meta", "img", "br"}
SECTIONS = [
    "Plain, usual", "recipe", "What else changed", "Curves", "The race", "How it was measured", "What to do next",
]  # fmt: skip

Evidence = dict[str, Any]


class Page(HTMLParser):
    """Text, elements and attributes of a page; fails on tags that do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.titles: list[str] = []
        self.pieces: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []
        self.text = re.sub(r"\s+", " ", "".join(self.pieces))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag == "h2":
            self.titles.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.pieces.append(data)
        if "h2" in self._open:
            self.titles[-1] += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]

    def figures(self) -> list[str]:
        prefix = "data:image/svg+xml;base64,"
        assert all(img["src"].startswith(prefix) and img["alt"] for img in self.of("img"))
        return [base64.b64decode(img["src"].removeprefix(prefix)).decode() for img in self.of("img")]


def graded(e: Evidence, name: str) -> Evidence:
    e["verdict"]["name"] = e["verdict"]["against_plain"] = name
    return e


def nulled(value: Any) -> Any:
    """The same with null for every fraction but the level."""
    if isinstance(value, dict):
        return {k: v if k == "level" else nulled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [nulled(v) for v in value]
    return None if isinstance(value, float) else value


def without_spread(e: Evidence) -> Evidence:
    for own in (e["difference"], e["difference"]["against_usual"], e["difference"]["holdout"]):
        own.update(mean=0.0, low=0.0, high=0.0, p=1.0)
    return e


def one_split(e: Evidence) -> Evidence:
    e["folds"] = 1
    for trial in e["race"]:
        trial["folds"] = 1
    return e


def without_ablation(e: Evidence) -> Evidence:
    return {**e, "ablation": []}


def without_race(e: Evidence) -> Evidence:
    return {**e, "race": [{**trial, "score": None} for trial in e["race"]]}


def without_curves(e: Evidence) -> Evidence:
    return {**e, "curves": {arm: {"train": [], "validation": []} for arm in e["curves"]}}


def plain_chosen(e: Evidence) -> Evidence:
    return {**without_ablation(e), "chosen": {**e["chosen"], "techniques": {}}}


EDITS: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("proved", copy.deepcopy),
    ("no evidence", nulled),
    ("no evidence", without_spread),
    ("likely", one_split),
    ("proved", without_ablation),
    ("likely", without_race),
    ("proved", without_curves),
    ("no evidence", plain_chosen),
]


@pytest.mark.parametrize(("verdict", "edit"), EDITS, ids=lambda part: getattr(part, "__name__", part))
def test_every_page_is_whole_and_self_contained(
    evidence: Evidence, verdict: str, edit: Callable[[Evidence], Evidence]
) -> None:
    page = Page(render(graded(edit(evidence), verdict)))
    for title, word in zip([t for t in page.titles if "warning" not in t], SECTIONS, strict=True):
        assert word in title or "best candidate" in title
    assert not page.of("script") + page.of("link") + page.of("iframe")
    assert all(a["src"].startswith("data:") for _, a in page.elements if "src" in a)
    assert not re.search(r"\b(None|nan|inf|Undefined)\b|\{\{|\}\}", page.text)
    for svg in page.figures():
        ElementTree.fromstring(svg)
        assert "$" not in svg
        assert "#00000" not in svg
        assert "http-equiv" not in svg


def test_the_headline_says_verdict_gain_interval_and_n(evidence: Evidence) -> None:
    d = evidence["difference"]
    d.update(mean=0.0316, low=0.0112, high=0.052, p=0.002, n_examples=142, n_seeds=10)
    page = Page(render(graded(evidence, "proved"))).text
    assert "Proved: this recipe beats plain training" in page
    assert "gain of 0.032, 95 % interval of the gain +0.011 to +0.052, n = 142 rows, 10 repeats." in page


@pytest.mark.parametrize(
    ("name", "p", "headline", "usual_p", "usual_mean", "standing", "advised"),
    [
        ("proved", 0.01, "fewer than 1 of 20 searches", 0.99, -0.1, "clearly worse", True),
        ("proved", 0.01, "fewer than 1 of 20 searches", 0.9, -0.1, "probably worse", True),
        ("likely", 0.15, "up to 1 of 5 searches", 0.01, 0.1, "better", False),
        ("likely", 0.01, "from so few rows or seeds nothing is called proved", 0.1, 0.1, "probably better", False),
        ("no evidence", 0.6, "plain is the answer", 0.5, -0.01, "not distinguishably better or worse", False),
    ],
)
def test_each_verdict_is_explained_and_usual_held_against_it(
    evidence: Evidence,
    name: str,
    p: float,
    headline: str,
    usual_p: float,
    usual_mean: float,
    standing: str,
    advised: bool,
) -> None:
    evidence["difference"]["p"] = p
    evidence["difference"]["against_usual"].update(p=usual_p, mean=usual_mean)
    page = Page(render(graded(evidence, name))).text
    assert headline in page
    assert f"it is {standing} (" in page
    assert ("Consider using usual" in page) == advised


@pytest.mark.parametrize(("verdict", "arm"), [("proved", "chosen"), ("no evidence", "plain")])
def test_what_is_delivered_is_marked(evidence: Evidence, verdict: str, arm: str) -> None:
    assert Page(render(graded(evidence, verdict))).text.count(f"{arm} delivered") == 1


def test_the_table_holds_every_metric_of_every_arm_the_chosen_one_first(evidence: Evidence) -> None:
    page = Page(render(evidence)).text
    named = (("Log loss", "lower"), ("Accuracy", "higher"), ("Balanced accuracy", "higher"), ("Brier score", "lower"))
    order = [page.index(f"{name} {better} is better") for name, better in named]
    assert order == sorted(order)
    for arm in ("plain", "usual", "chosen"):
        own = evidence[arm]["finals"]["accuracy"]
        assert f"{own['mean']:.3f} {own['low']:.3f} to {own['high']:.3f}" in page


def big_holdout(e: Evidence) -> Evidence:
    """As if its 36 rows had been enough."""
    for arm in ("plain", "usual", "chosen"):
        for own in e[arm]["holdout"].values():
            own.update(mean=0.5, low=0.25, high=0.75, note="")
    e["difference"]["holdout"]["note"] = ""
    return e


def test_a_holdout_too_small_gives_points_only(evidence: Evidence) -> None:
    small = Page(render(evidence)).text
    assert "(too small for intervals)" in small
    assert "The holdout is too small to confirm or contradict." in small
    big = Page(render(big_holdout(evidence))).text
    assert "(too small for intervals)" not in big
    assert re.search(r"0\.500* 0\.250* to 0\.750*", big)
    # A rare class makes a holdout too small whatever its number of rows, and only the missing interval says so.
    evidence["chosen"]["holdout"]["log_loss"].update(low=None, high=None)
    assert "(too small for intervals)" in Page(render(evidence)).text


def test_a_disagreeing_holdout_is_said(evidence: Evidence) -> None:
    evidence["agreement"].update(agrees=False, sentence="The holdout disagrees with finals B: …")
    assert "The holdout disagrees: trust the smaller gain." in Page(render(big_holdout(evidence))).text


def test_each_technique_is_explained_with_its_gains(evidence: Evidence) -> None:
    gain = {"gain": 0.2, "low": 0.1, "high": 0.3, "p": 0.01, "standard_error": 0.03, "n_models": 10}
    hurts = {**gain, "gain": -0.2, "low": -0.3, "high": -0.1}
    evidence["chosen"]["techniques"] = {"dropout": {"p": 0.25, "form": "inverted"}, "elsewhere": {"x": True}}
    evidence["ablation"] = [{"technique": "dropout", "without": gain, "alone": hurts}]
    page = Page(render(evidence)).text
    assert "dropout p 0.25, form inverted" in page
    assert "Zero each hidden unit with probability p, a new mask" in page
    assert "Srivastava et al. 2014" in page
    assert "With it instead of without it: gain +0.20 (+0.10 to +0.30) – it helps." in page.replace("00", "0")
    assert "Alone on plain: gain −0.20 (−0.30 to −0.10) – it hurts." in page.replace("00", "0")
    assert "elsewhere x yes" in page
    assert "package that is not installed" in page


def test_changed_batches_are_named(evidence: Evidence) -> None:
    assert "on changed batches" not in Page(render(evidence)).text
    evidence["chosen"]["techniques"] = {"mixup": {"alpha": 0.2}}
    assert "under mixup on changed batches" in Page(render(evidence)).text


def test_only_log_loss_shows_a_gap(evidence: Evidence, regression: Evidence) -> None:
    assert "The shaded gap" in Page(render(evidence)).text
    page = Page(render(regression))
    assert "The shaded gap" not in page.text
    assert "Training loss and validation RMSE have different units" in page.text
    assert "The RMSE (lower is better) is" in page.text
    assert any("validation RMSE" in svg for svg in page.figures())


def test_wild_first_epochs_do_not_flatten_the_curves(evidence: Evidence) -> None:
    evidence["curves"]["plain"]["train"][0] = 1e9
    (svg, *_) = [f for f in Page(render(evidence)).figures() if "training loss" in f]
    ticks = [float(t) for t in re.findall(r">([\d.]+)</text>", svg)]
    assert ticks
    assert max(ticks) < 100


def test_warnings_are_all_there_however_many(evidence: Evidence) -> None:
    evidence["warnings"] = [f"number {i} " + "long " * 1000 for i in range(200)]
    page = Page(render(evidence))
    assert "200 warnings" in page.text
    assert "and 194 more" in page.text
    assert all(f"number {i} " in page.text for i in range(200))
    evidence["warnings"] = []
    assert not any("warning" in title for title in Page(render(evidence)).titles)


def test_text_from_outside_stays_text(hostile: Evidence, outside: str) -> None:
    page = Page(render(hostile))
    assert not page.of("script")
    assert not any("onerror" in attrs for _, attrs in page.elements)
    assert page.text.count(outside) >= 8
    for svg in page.figures():
        assert not [el for el in ElementTree.fromstring(svg).iter() if "script" in el.tag or "onerror" in el.attrib]


def test_the_command_can_be_pasted(evidence: Evidence) -> None:
    evidence["source"], evidence["reading"] = "my data; 'quoted' $(x).csv", {"groups": "my groups"}
    evidence["metric"], evidence["class_weight"], evidence["target"] = "balanced_accuracy", "balanced", "pay day"
    code = next(c for c in re.findall(r"<code>(.*?)</code>", render(evidence), re.S) if "tauten compare" in c)
    assert shlex.split(html.unescape(code)) == [
        "tauten", "compare", evidence["source"], "--target", "pay day", "--groups", "my groups",
        "--metric", "balanced_accuracy", "--class-weight", "balanced", "--recipe", "plain", "--recipe", "recipe.toml",
    ]  # fmt: skip


def test_the_page_is_a_function_of_result_json(found: tauten.Result, tmp_path: Path) -> None:
    found.save(tmp_path)
    read = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page == render(found.evidence) == render(read)


def test_numbers_that_are_not_finite_read_like_null(evidence: Evidence) -> None:
    before = copy.deepcopy(evidence)
    evidence["train_seconds_ratio"], before["train_seconds_ratio"] = math.nan, None
    evidence["race"][0]["score"], before["race"][0]["score"] = math.inf, None
    assert render(evidence) == render(before)


def test_traits_stand_before_and_after_with_what_changed(evidence: Evidence, regression: Evidence) -> None:
    measured = evidence["traits"]["measured"]
    own = {"mean": 0.25, "low": 0.2, "high": 0.3, "n": 10}
    measured["weight_gini"] = {"plain": own, "chosen": {**own, "mean": 0.75}, "change": {**own, "mean": 0.5}}
    measured["weight_zeros"]["change"] = {"mean": 0.1, "low": -0.1, "high": 0.3, "n": 10}
    measured["brier"] = {"plain": own, "chosen": None, "change": None}
    html = render(evidence)
    text = Page(html).text
    assert re.search(r"Inequality of weights .*? 0\.250 0\.200 to 0\.300 0\.750 0\.200 to 0\.300 \+0\.500", text)
    assert "<strong>+0.500</strong>" in html
    assert "<strong>+0.10</strong>" not in html
    assert "+0.10" in text
    assert "Brier score squared error of probabilities, lower is better 0.250" in text
    assert "Calibration error" in text
    assert "Calibration error" not in Page(render(regression)).text
    del evidence["traits"]
    assert "What else changed" not in Page(render(evidence)).text


def test_without_finals_a_and_ablation_the_page_says_so(evidence):
    without = {
        **evidence,
        "choice": None,
        "ablation": [],
        "budget": 60.0,
        "plan": {**evidence["plan"], "finals_a": 0, "ablation": 0, "holdout_seeds": 3},
    }
    page = render(without)
    assert "the race's best recipe went straight to finals B" in page.replace("&#39;", "'")
    assert "No ablation was measured, for lack of time" in page
    assert "the mean of 3 trainings an arm" in page
    assert "in finals A</summary>" not in page
    assert "in finals A</summary>" in render(evidence)
    assert "this chose the recipe" not in page
    assert "this chose the recipe" in render(evidence)
