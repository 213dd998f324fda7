"""Text: plain, usual, each technique and a search of three minutes, beside TF-IDF with logistic regression and EDA.

    python benchmarks/text.py run --texts DIR [--budget 180] [--only trec_500,_tfidf]
    python benchmarks/text.py table
    python benchmarks/datasets.py table

DIR holds the folders sst2 (stsa.binary.train and .test), trec (TREC.train.all and .test.all) and sms_spam
(SMSSpamCollection). `run` is resumable: a part is one step on one number of training texts, in a process of its own,
and a part whose figures exist is skipped; `arms` needs the figures of the two steps before it. EDA needs WordNet's
files (Debian: wordnet-base). The last command writes the page, with this benchmark as a section.
"""

import argparse
from collections.abc import Sequence

import record
from text_data import SETS, SIZES

NAME, BUDGET, SEEDS = "text", 180.0, 10
STEPS = ("tfidf", "search", "arms")
PACKAGES = (*record.PACKAGES, "scikit-learn")


def parts() -> list[str]:
    """The names of all parts, problem by problem, so that a cut leaves whole ones.

    >>> parts()[:4]
    ['sst2_500_tfidf', 'sst2_500_search', 'sst2_500_arms', 'sst2_2000_tfidf']
    """
    return [f"{name}_{size}_{step}" for name in SETS for size in SIZES for step in STEPS]


def run(given: argparse.Namespace) -> None:
    """Run every part that has no figures yet, each in a process of its own."""
    for part in record.missing(given.into, parts(), given.only):
        record.apart(__file__, part, given)


def run_part(given: argparse.Namespace) -> None:
    """One step on one number of training texts of a set."""
    import text_contenders
    from text_data import Problem

    name, size, step = given.part.split("_")
    problem = Problem.of(name, size, given.texts)
    about = {"set": name, "size": size, "step": step, "rows": [len(problem.train), len(problem.test)]}
    if step == "tfidf":
        figures = text_contenders.tfidf(problem, record.cores())
    elif step == "search":
        figures = text_contenders.search(problem, given.budget)
    else:
        before = {own: record.load(given.into).get(f"{name}_{size}_{own}") for own in STEPS[:2]}
        if absent := [own for own, told in before.items() if told is None]:
            raise SystemExit(f"{given.part} needs {' and '.join(absent)} of {name}_{size}; run them first.")
        figures = text_contenders.arms(problem, before["search"], before["tfidf"]["answers"], given.seeds)
    record.save(given.into, given.part, {**about, **figures}, PACKAGES)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = record.parser(__doc__, NAME, BUDGET, "texts")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each recipe")
    return parser.parse_args(words)


if __name__ == "__main__":
    record.obey(arguments(), run, run_part, "text_figures")
