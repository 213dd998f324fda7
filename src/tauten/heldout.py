"""Every arm trained on all development rows; and the holdout's rows, once opened, as these networks see them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tauten.builder import Builder
from tauten.cells import Arm
from tauten.data import Table
from tauten.draws import derive_seed
from tauten.folds import Fold, encode
from tauten.member import Member
from tauten.metrics import Metric
from tauten.model import Model
from tauten.options import Options
from tauten.population import Population
from tauten.setting import Setting
from tauten.text.layout import TextLayout

Floats = npt.NDArray[np.float64]
Models = Mapping[str, tuple[Model, ...]]
"""The networks of each arm, one a seed; networks at the same place had the same seed."""


def train_arms(
    builder: Builder,
    whole: Fold,
    table: Table,
    module: Callable[..., nn.Module] | None,
    arms: Sequence[Arm],
    seeds: int,
    options: Options,
    tick: Callable[[int], None],
    name: str = "holdout",
) -> Models:
    """Models of every arm on all rows of `whole`; unlike names give unlike seeds."""
    asked = [(arm, s) for arm in arms for s in range(seeds)]
    members = [
        Member(i, arm.recipe, derive_seed(name, options.seed, s), 0, arm.epochs) for i, (arm, s) in enumerate(asked)
    ]
    with Population(builder, [whole.source], options.threads) as population:
        population.enter(members)
        done = population.complete({}, extract=[m.id for m in members], tick=tick)
    models: dict[str, tuple[Model, ...]] = {arm.name: () for arm in arms}
    for i, (arm, _) in enumerate(asked):
        delivered = done[i].delivered
        assert delivered is not None
        preprocessor = whole.preprocessor(arm.recipe.setting)
        model = Model(arm.recipe, delivered, preprocessor, whole.scale, table.classes, table.targets, module)
        models[arm.name] += (model,)
    return models


@dataclasses.dataclass(frozen=True, eq=False)
class Held:
    """Opened rows: inputs (n, d) preprocessed by the development rows, targets (n, K), what these were divided by, and
    what each row counts (n,). `encodings` and `layout` as in a `Source`."""

    inputs: Tensor
    targets: Tensor
    unit: float | Floats
    task: str
    weights: Floats | None = None
    encodings: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    layout: TextLayout | None = None

    @classmethod
    def of(cls, whole: Fold, opened: Table) -> "Held":
        """As the networks trained on `whole` see them."""
        inputs, encodings = whole.encoded(opened.features)
        targets, layout = encode(opened, whole.scale), whole.source.layout
        return cls(inputs, targets, whole.unit, opened.task, opened.weights, encodings, layout)

    def seen(self, setting: Setting) -> Tensor:
        """The inputs as a network of this setting reads them."""
        return self.encodings.get(setting.numeric, self.inputs)

    def contributions(self, models: Sequence[Model], metrics: Sequence[Metric]) -> dict[str, Floats]:
        """Contributions (rows, seeds) of one arm's models by metric."""
        outputs = [model.forward(self.seen(model.recipe.setting)) for model in models]
        return {
            m.name: np.stack([m.contributions(out, self.targets, self.unit, self.weights) for out in outputs], 1)
            for m in metrics
        }

    @property
    def smallest(self) -> int | None:
        """Rows of the rarest class; of labels, of the rarest answer to one of them. None in regression."""
        if self.task == "regression":
            return None
        there = self.targets.sum(0)
        fewest = there if self.task == "classification" else torch.minimum(there, len(self.targets) - there)
        return int(fewest.min())
