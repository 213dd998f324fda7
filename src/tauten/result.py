"""What a run leaves behind: result.json, recipe.toml, model.safetensors; plain files, no pickle."""

import dataclasses
import json
import math
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from torch import nn

from tauten.cells import Arm
from tauten.errors import RunError
from tauten.evidence import lost
from tauten.finals import shown_interval
from tauten.found import Found
from tauten.journal import NAME as JOURNAL
from tauten.model import Model
from tauten.nested import Nested
from tauten.recipe import Recipe
from tauten.trial import Trial

SCHEMA = "tauten.result/1"
DEPENDENCIES = ("torch", "numpy", "scipy", "pandas", "scikit-learn")


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a search hands back.

    `verdict` is "proved", "likely" or "no evidence"; `recipe` what to use (plain where there is no evidence);
    `evidence` everything behind it, as in result.json; `model` is trained on all rows but the holdout.
    """

    verdict: str
    recipe: Recipe
    evidence: Mapping[str, Any]
    model: Model

    def __repr__(self) -> str:
        names = " + ".join(self.recipe.names) or "plain"
        return f"<Result {self.verdict}: {names}>"

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels as text (n,), or numbers (n,); X has the columns of training, in any order, with or without others."""
        return self.model.predict(X)

    @classmethod
    def load(cls, folder: str | Path, model: Callable[..., nn.Module] | None = None, embed: str | None = None) -> Self:
        """What a search left in a folder; one of your own network needs the function that builds it again, one of
        sentence vectors the "file.py:function" that gives them.

        RunError where the folder holds no finished search.
        """
        figures = read_figures(folder)
        if figures["schema"] != SCHEMA:
            raise RunError(f"{str(folder)!r} was not left by a search; load its model with tauten.model.Model.load.")
        recipe = Recipe.load(Path(folder) / "recipe.toml")
        return cls(figures["verdict"]["name"], recipe, figures, Model.load(folder, model, embed))

    def save(self, folder: str | Path) -> None:
        """Write recipe.toml, model.safetensors, result.json and report.html into a folder."""
        self.save_model(folder)
        self.save_report(folder)

    def save_model(self, folder: str | Path) -> None:
        """Write what goes into use, recipe.toml and model.safetensors, and the figures behind it, result.json."""
        with _writing(Path(folder)) as path:
            self.recipe.save(path / "recipe.toml")
            self.model.save(path)
            (path / "result.json").write_text(to_text(self.evidence), encoding="utf-8")

    def save_report(self, folder: str | Path) -> None:
        """Write the figures, result.json, and the page that shows them, report.html."""
        from tauten.report import render

        page = render(self.evidence)
        with _writing(Path(folder)) as path:
            (path / "result.json").write_text(to_text(self.evidence), encoding="utf-8")
            (path / "report.html").write_text(page, encoding="utf-8")


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """The folder, made where it is missing; RunError where it can't be written into."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        raise RunError(f"can't write into {str(path)!r} ({error.strerror}); choose another --out.") from None


def to_text(evidence: Mapping[str, Any]) -> str:
    """result.json as text; keys in a fixed order, no NaN."""
    return json.dumps(_finite(evidence), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_figures(folder: str | Path) -> dict[str, Any]:
    """result.json of a run; RunError where there is none, with what to do."""
    path = Path(folder) / "result.json"
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        begun = (Path(folder) / JOURNAL).exists()
        fix = f"it was cut off: go on with `tauten resume {folder}`" if begun else "give the folder of a finished run"
        raise RunError(f"{str(folder)!r} holds no result.json; {fix}.") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{str(path)!r} can't be read ({error.__class__.__name__}); give the folder of a run.") from None
    if not isinstance(figures, dict) or not str(figures.get("schema")).startswith("tauten."):
        raise RunError(f"{str(path)!r} was not written by tauten; give the folder of a run.")
    return figures


def result_of(found: Found, nested: Nested | None = None) -> Result:
    """The result of a search, and of its outer searches where there were any."""
    table = found.table
    context = {
        "task": table.task,
        "rows": found.n_train,
        "columns": table.columns,
        "outputs": len(table.classes) or len(table.targets),
        "network": found.network,
        "verdict": found.verdict.name,
        "epochs_trained": (found.plain if found.verdict.name == "no evidence" else found.chosen).epochs,
    }
    recipe = dataclasses.replace(found.model.recipe, context=context)
    main = found.metrics[0]
    evidence = {
        "schema": SCHEMA,
        "source": table.name,
        "target": table.target,
        "reading": found.options.reading(),
        "task": table.task,
        "columns": context["columns"],
        "classes": len(table.classes),
        "network": context["network"],
        "metric": main.name,
        "greater_is_better": main.greater_is_better,
        "class_weight": found.options.class_weight,
        "verdict": found.verdict.to_json(),
        "recipe": recipe.to_dict()["techniques"],
        "setting": recipe.setting.to_dict(),
        "epochs_trained": context["epochs_trained"],
        **{arm.name: _arm(found, arm) for arm in (found.plain, found.usual, found.chosen)},
        "difference": {
            **found.differences["plain"].to_json(),
            "against_usual": found.differences["usual"].to_json(),
            "holdout": found.differences["holdout"].to_json(),
        },
        "agreement": found.agreement.to_json(),
        "nested": None if nested is None else nested.to_json(),
        "ablation": [i.to_json() for i in found.ablation],
        "traits": found.traits,
        "choice": None if found.choice is None else found.choice.to_json(),
        "train_seconds_ratio": found.train_seconds_ratio,
        "n_train": found.n_train,
        "n_holdout": found.n_holdout,
        "holdout_opened": 1,
        "trials": len(found.trials),
        "sampler": found.sampler,
        "folds": found.folds,
        "plan": dataclasses.asdict(found.plan),
        "gradient_evaluations": found.gradient_evaluations,
        "budget": found.options.budget,
        "seconds": found.seconds,
        "race_seconds": found.race_seconds,
        "threads": found.options.threads,
        "precision": found.precision,
        "engine": found.engine,
        "seed": found.options.seed,
        "curves": {name: _curves(found, name) for name in ("plain", "usual", "chosen")},
        "race": [_trial(t) for t in found.trials],
        "lost": _lost(found),
        "versions": versions(),
        "data_hash": table.content_hash(),
        "translations": list(found.translations),
        "flips": found.flips,
        "warnings": [*found.warnings, *(() if nested is None else nested.notes)],
    }
    return Result(found.verdict.name, recipe, evidence, found.model)


def versions() -> dict[str, str]:
    """Versions that a figure may depend on."""
    return {
        "tauten": version("tauten"),
        "python": platform.python_version(),
        **{name: version(name) for name in DEPENDENCIES},
        "platform": f"{sys.platform} {platform.machine()}",
    }


def _arm(found: Found, arm: Arm) -> dict[str, Any]:
    finals, holdout = found.finals[arm.name], found.holdout[arm.name]
    figures = {
        part: {m.name: shown_interval(m, rows[m.name], together).to_json() for m in found.metrics}
        for part, rows, together in (
            ("finals", finals.rows, finals.clusters),
            ("holdout", holdout, found.holdout_clusters),
        )
    }
    if found.holdout_too_small:
        figures["holdout"] = {name: {**own, "low": None, "high": None} for name, own in figures["holdout"].items()}
    return {
        "techniques": arm.recipe.to_dict()["techniques"],
        "setting": arm.recipe.setting.to_dict(),
        "epochs_trained": arm.epochs,
        **figures,
    }


def _curves(found: Found, name: str) -> dict[str, list[float]]:
    """Mean curves of the race's folds: training loss, and the metric's raw mean on the scored rows."""
    wanted = {"plain": found.plain, "usual": found.usual, "chosen": found.chosen}[name].recipe
    trial = next(t for t in found.trials if t.recipe.key == wanted.key)
    longest = max(map(len, trial.scores.values()))
    full = [f for f, c in trial.scores.items() if len(c) == longest]
    return {
        "train": np.mean([trial.losses[f] for f in full], 0).tolist(),
        "validation": np.mean([trial.scores[f] for f in full], 0).tolist(),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    epochs = max(map(len, trial.scores.values()), default=0)
    return {
        "lane": trial.lane,
        "techniques": trial.recipe.to_dict()["techniques"],
        "learning_rate": trial.recipe.setting.learning_rate,
        "schedule": trial.recipe.setting.schedule,
        "folds": len(trial.scores),
        "epochs": epochs,
        "score": trial.score(trial.scores) if epochs else None,
    }


def _lost(found: Found) -> dict[str, Any]:
    """Values that lost the race, among all recipes but plain; each is placed by how far it came, then by its score."""
    entered = [t for t in found.trials if t.lane == "recipes" and t.scores]
    ranked = sorted(entered, key=lambda t: (-len(t.scores), -_progress(t), t.score(t.scores)))
    better = {id(t) for t in ranked[: len(ranked) // 2]}
    values = [
        {t.name: {k: v for k in t.hyperparameters() if isinstance(v := getattr(t, k), int | float)} for t in own}
        for own in (trial.recipe.techniques for trial in entered)
    ]
    named = lost(values, [id(t) in better for t in entered], found.options.seed)
    return {"recipes": len(entered), "ranges": [own.to_json() for own in named]}


def _progress(trial: Trial) -> float:
    return max(map(len, trial.scores.values())) / trial.recipe.setting.epochs


def _finite(value: Any) -> Any:
    """NaN and infinities as null: JSON has no words for them."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
