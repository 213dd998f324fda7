"""Writes docs/evidence.md from its words and the figures of all benchmarks of evidence.

python benchmarks/evidence.py
"""

from pathlib import Path

import curse
import evidence_pipeline
import evidence_simulated
import regret

DOCS = Path(__file__).parents[1] / "docs"
SECTIONS = (evidence_pipeline.section, curse.section, regret.section, evidence_simulated.section)
HEAD = """# Evidence

What Tauten claims, how each figure is computed, and how often the claims are right where the truth is known. The
package `tauten.evidence` needs NumPy and SciPy only and works on scores of any origin:

    from tauten.evidence import compare, grade

    found = compare(plain, chosen)      # (examples, seeds) each: losses of the same examples, in the same order
    print(found.mean, found.low, found.high, grade(found))

## What is claimed

- **proved**: the chosen recipe is better than plain training whose setting was tuned with as much compute; where
  there is no gain it is said in at most 5 % of runs (measured below, with the exceptions). **likely**: the same at 20
  %; the recipe is delivered, so labelled. **no evidence**: plain is delivered. From fewer than 50 rows, 20 groups or
  3 seeds nothing is proved.
- The gain is that *expected over new seeds and new examples of the same kind, for this training set*. It is measured
  in finals B: fresh partitions, fresh seeds, and one recipe that finals A had chosen before. Nothing is chosen after.
- The holdout is opened once, after every arm is trained. It checks the gain, does not choose, and where it disagrees
  the report says so.

## How it is computed

**Gain and interval** (`compare`, `interval`). Scores of both arms, example by example and seed by seed, are
subtracted. The variance of the mean difference is split into examples, seeds and residual by the method of moments
(`variance_components`): a component below the residual is cut, which can only lengthen the interval. Degrees of
freedom after Satterthwaite (1946). Where few examples lose much, Student's t promises too much; so every interval
holds both t's ends and those of Hall's (1992) transformation, which takes the skewness of the mean away, and p is the
less certain of the two. A sample shows less skewness than there is, so p takes 1.5 times the sample's; that factor
was chosen by the first table below, intervals do without it. p is one-sided. What no method can see is a loss so rare
that the sample holds none of it (Bahadur and Savage 1956); the rows "lose much" below show the size of that.

**Groups and time** (`clusters=`, `time_blocks`). Examples of one group, or of one block of time, are added up and
count as one unit of a ratio of totals (Cochran 1977); blocks are as long as the cube root of n (Künsch 1989), unless
told.

**AUC, balanced accuracy, any metric** (`bootstrap_compare`). A crossed bootstrap: examples are drawn within each
class (or whole clusters), every seed is scored on every draw, and the variance is put together from draws and seeds
as above, with what both hold taken out once. For a metric that is a mean it gives the interval of `compare`; for AUC
and one seed the variance of DeLong, DeLong and Clarke-Pearson (1988). Searches use the same metrics' influence, row
by row, with `compare`.

**Choice** (`one_standard_error`). Among candidates within one standard error of the best, the one with the fewest
techniques; the standard error is that of the paired difference, corrected for overlapping training sets (Nadeau and
Bengio 2003; Breiman et al. 1984).

**Ablation** (`ablation`). Less each ingredient, and each alone, on the partitions of finals B, which selected
nothing; intervals by Bonferroni, p by Holm (1979).

**Holdout** (`holdout_agrees`). The interval of finals − holdout, Welch's t; a holdout of fewer than 50 rows,
20 clusters or 10 rows of a class contradicts nothing.

**Bias and variance** (`bias_variance`), **calibration** (`calibration`), **traits**: see their docstrings for
formulas and sources.

Each rule of honesty has a test that fails where the rule is broken: `tests/evidence/test_honesty.py`.

## How often it is right

Every table is made from raw figures in [benchmarks/figures/evidence](../benchmarks/figures/evidence) by

    python benchmarks/evidence.py

and names the command, machine, versions and date of its figures. Commands go on where they were cut off.
"""


def page() -> str:
    """The page as the figures have it."""
    return "\n".join([HEAD, *(text for section in SECTIONS if (text := section()))])


if __name__ == "__main__":
    (DOCS / "evidence.md").write_text(page(), encoding="utf-8")
