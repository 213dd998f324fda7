"""A peer: scikit-learn's HalvingRandomSearchCV over a skorch classifier, with one process per core.

The resource is `max_epochs`, so the recipe's duration is not searched. A search of 27 candidates trains them for about
a ninth, a third and all of the epochs; searches with fresh candidates follow one another until the time is over, since
a halving search has to know its number of candidates beforehand. It gives an incumbent only at its end.
"""

import time
import warnings
from typing import Any

import joblib
import numpy as np
import torch
import torch.nn.functional as F
from arena import Arena, Incumbents, random_recipe
from lean import Net, grouped, mixed, value
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import ValidSplit, unpack_data

from tauten.draws import derive_seed
from tauten.recipe import Recipe
from tauten.space import Space

CANDIDATES, FACTOR = 27, 3
STOPPING_SHARE = 0.1
"""Of the rows, held back by the classifier to stop early by."""


class TextNet(Net):
    """The network of a recipe in TOML: scikit-learn clones parameters, and text survives that."""

    def __init__(self, inputs: int, outputs: int, recipe: str) -> None:
        super().__init__(inputs, outputs, Recipe.loads(recipe))


class Rate(Callback):
    """The recipe's learning rate, step by step."""

    def on_train_begin(self, net: Any, **more: Any) -> None:
        self.step = 0

    def on_batch_begin(self, net: Any, training: bool = False, **more: Any) -> None:
        if training:
            progress = self.step / max(1, net.max_epochs * net.batches)
            self.step += 1
            for group in net.optimizer_.param_groups:
                group["lr"] = net.recipe.setting.rate_at(progress)


class RecipeNet(NeuralNetClassifier):
    """A skorch classifier that trains `module__recipe`."""

    def fit(self, X: Any, y: Any, **more: Any) -> "RecipeNet":
        self.recipe = Recipe.loads(self.module__recipe)
        self.batches = -(-len(X) // self.batch_size)
        stopping = self.recipe.get("early_stopping")
        if stopping:
            patience = int(value(self.recipe, "early_stopping", "patience"))
            self.set_params(
                train_split=ValidSplit(STOPPING_SHARE, stratified=True),
                callbacks=[Rate(), EarlyStopping(patience=patience, load_best=True, sink=_silent)],
            )
        super().fit(X, y, **more)
        return self

    def initialize_optimizer(self, *args: Any) -> "RecipeNet":
        kernels, others = grouped(self.module_)
        strength = value(self.recipe, "weight_decay", "strength")
        groups = [{"params": kernels, "weight_decay": strength}, {"params": others}]
        self.optimizer_ = torch.optim.AdamW(groups, self.recipe.setting.learning_rate, weight_decay=0.0, fused=True)
        return self

    def train_step_single(self, batch: Any, **more: Any) -> dict[str, Any]:
        self._set_training(True)
        own, (x, labels) = self.recipe, unpack_data(batch)
        y = F.one_hot(labels, self.module__outputs).to(x.dtype)
        if alpha := value(own, "mixup", "alpha"):
            x, y = mixed(x, y, alpha)
        if sigma := value(own, "input_noise", "sigma"):
            x = x + sigma * torch.randn_like(x)
        out = self.infer(x)
        loss = F.cross_entropy(out, y, label_smoothing=value(own, "label_smoothing", "epsilon"))
        if penalty := value(own, "l2", "strength"):
            loss = loss + penalty * sum(k.square().sum() for k in self.module_.kernels())
        loss.backward()
        return {"loss": loss, "y_pred": out}


def _silent(*words: Any) -> None:
    """skorch tells of early stopping; nobody listens."""


class RecipeDistribution:
    """Random recipes of a space, as scikit-learn asks for them."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def rvs(self, random_state: Any = None) -> str:
        """One recipe as TOML."""
        return random_recipe(self._space, int(random_state.randint(2**31 - 1))).dumps()


def search(arena: Arena, budget: float, seed: int, cores: int) -> dict[str, Any]:
    """Incumbents of searches one after another for `budget` seconds, and how many fits they took.

    The search that the end of the time meets is let run to its end, and does not count.
    """
    warnings.simplefilter("ignore")
    whole, space = arena.development.whole(), arena.without_durations()
    X, y = whole.source.inputs.numpy(), arena.development.table.y.astype(np.int64)
    cv = [(fold.source.train.numpy(), fold.score.numpy()) for fold in arena.folds]
    setting = space.base
    least = max(1, setting.epochs // FACTOR**2)
    incumbents, fits, halvings = Incumbents(), 0, 0
    with joblib.parallel_backend("loky", n_jobs=cores, inner_max_num_threads=1):
        # Workers start and import before the clock runs.
        joblib.Parallel()(joblib.delayed(_ready)() for _ in range(4 * cores))
        begin = time.monotonic()
        while time.monotonic() - begin < budget:
            halving = HalvingRandomSearchCV(
                _net(X, arena, space),
                {"module__recipe": RecipeDistribution(space)},
                resource="max_epochs",
                n_candidates=CANDIDATES,
                factor=FACTOR,
                min_resources=least,
                max_resources=setting.epochs,
                scoring="neg_log_loss",
                cv=cv,
                refit=False,
                random_state=derive_seed("halving", seed, halvings) % 2**32,
                n_jobs=cores,
            ).fit(X, y)
            at = time.monotonic() - begin
            if at <= budget:
                halvings += 1
                fits += len(halving.cv_results_["iter"]) * len(cv)
                recipe = Recipe.loads(halving.best_params_["module__recipe"])
                epochs = int(halving.cv_results_["n_resources"][halving.best_index_])
                incumbents.offer(at, -float(halving.best_score_), recipe.with_setting(epochs=epochs))
    return {"incumbents": incumbents.found, "finished": fits, "halvings": halvings}


def _net(X: np.ndarray, arena: Arena, space: Space) -> RecipeNet:
    outputs = len(arena.development.table.classes)
    return RecipeNet(
        TextNet,
        module__inputs=X.shape[1],
        module__outputs=outputs,
        module__recipe=Recipe((), space.base).dumps(),
        criterion=torch.nn.CrossEntropyLoss,
        classes=list(range(outputs)),
        batch_size=space.base.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[Rate()],
        callbacks__print_log=None,
        verbose=0,
    )


def _ready() -> None:
    torch.set_num_threads(1)
    time.sleep(0.05)
