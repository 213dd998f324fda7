"""A peer: KerasTuner's Hyperband with Keras on the PyTorch backend, in its own distributed mode.

One chief holds the oracle and one worker a core trains, as KerasTuner's guide to distributed tuning has it. Epochs are
what Hyperband hands out, so the recipe's duration is not searched; a trial is scored on the first fold, as Hyperband's
checkpoints allow one training a trial; its score is that of its best epoch, and the recipe keeps that many epochs.

    python benchmarks/search_keras.py ROLE FOLDER SOURCE SEED     (started by `search`)
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import keras_tuner
import numpy as np
import torch
from arena import Arena, Incumbents, recipe_of
from lean import mixed, value

from tauten.declare import Value
from tauten.folds import Fold
from tauten.recipe import Recipe
from tauten.space import Dimension

OBJECTIVE = "val_log_loss"
FACTOR = 3


def chosen(hp: Any, d: Dimension) -> Value:
    """One value of a space from KerasTuner's hyperparameters."""
    if d.options:
        return str(hp.Choice(d.key, list(d.options)))
    if d.spec is None:
        return float(hp.Float(d.key, 0.0, 1.0))
    low, high = d.spec.range
    kind = "log" if d.spec.log else "linear"
    if d.spec.integer:
        return int(hp.Int(d.key, int(low), int(high), sampling=kind))
    return float(hp.Float(d.key, low, high, sampling=kind))


class Mixed(keras.Model):
    """A functional model whose batches are mixed up first, where `alpha` is above 0."""

    alpha = 0.0

    def train_step(self, data: Any) -> Any:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return super().train_step(mixed(x, y, self.alpha) if self.alpha else (x, y))


def build(recipe: Recipe, inputs: int, outputs: int, steps: int) -> Mixed:
    """The residual MLP of `tauten.nets.mlp` in Keras, compiled; `steps` is the length of a cosine schedule."""
    setting, norm = recipe.setting, recipe.get("batch_norm") is not None
    noise, p = value(recipe, "input_noise", "sigma"), value(recipe, "dropout", "p")
    x = keras.Input((inputs,))
    h = keras.layers.GaussianNoise(noise)(x) if noise else x
    for i in range(setting.depth):
        z = _dense(setting.width, h, recipe, bias=not norm)
        z = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(z) if norm else z
        z = keras.layers.Activation(setting.activation)(z)
        z = keras.layers.Dropout(p)(z) if p else z
        h = keras.layers.Add()([h, z]) if setting.skip and i else z
    model = Mixed(x, _dense(outputs, h, recipe))
    model.alpha = value(recipe, "mixup", "alpha")
    rate: Any = setting.learning_rate
    if setting.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=value(recipe, "weight_decay", "strength"), epsilon=1e-8)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=value(recipe, "label_smoothing", "epsilon")
    )
    metric = keras.metrics.CategoricalCrossentropy(from_logits=True, name="log_loss")
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric])
    return model


def _dense(width: int, h: Any, recipe: Recipe, bias: bool = True) -> Any:
    """A linear map that starts as `torch.nn.Linear` does."""
    strength, limit = value(recipe, "l2", "strength"), h.shape[-1] ** -0.5
    return keras.layers.Dense(
        width,
        use_bias=bias,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=keras.initializers.RandomUniform(-limit, limit),
        kernel_regularizer=keras.regularizers.L2(strength) if strength else None,
    )(h)


class RecipeModel(keras_tuner.HyperModel):
    """What Hyperband tunes; every trained trial is noted down in a file, one line each."""

    def __init__(self, arena: Arena, notes: Path) -> None:
        super().__init__()
        self._space, self._fold, self._notes = arena.without_durations(), arena.folds[0], notes

    def recipe(self, hp: Any) -> Recipe:
        """The recipe of a trial, at the epochs that Hyperband gives it."""
        found = recipe_of(self._space, partial(chosen, hp))
        return found.with_setting(epochs=int(hp.values.get("tuner/epochs", self._space.base.epochs)))

    def build(self, hp: Any) -> Mixed:
        # Every value is named at once, also of techniques that are off, so that the oracle knows the whole space.
        for dimension in self._space.dimensions:
            chosen(hp, dimension)
        recipe, source = self.recipe(hp), self._fold.source
        steps = recipe.setting.epochs * -(-len(source.train) // recipe.setting.batch_size)
        return build(recipe, source.inputs.shape[1], source.targets.shape[1], steps)

    def fit(self, hp: Any, model: Mixed, *args: Any, callbacks: Sequence[Any] = (), **more: Any) -> Any:
        recipe = self.recipe(hp)
        stopping = recipe.get("early_stopping")
        own = [*callbacks]
        if stopping:
            patience = int(value(recipe, "early_stopping", "patience"))
            own.append(keras.callbacks.EarlyStopping(OBJECTIVE, patience=patience, mode="min"))
        history = model.fit(*args, callbacks=own, batch_size=recipe.setting.batch_size, verbose=0, **more)
        curve = history.history[OBJECTIVE]
        best = int(np.nanargmin(curve)) if np.isfinite(curve).any() else 0
        if not stopping:
            recipe = recipe.with_setting(epochs=more.get("initial_epoch", 0) + best + 1)
        with self._notes.open("a") as notes:
            notes.write(json.dumps([time.monotonic(), float(curve[best]), recipe.dumps()]) + "\n")
        return history


def parts(fold: Fold, rows: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of these rows, as Keras likes them."""
    return fold.source.inputs[rows].numpy(), fold.source.targets[rows].numpy()


def work(role: str, folder: Path, source: str, seed: int) -> None:
    """A chief or a worker: gets ready, says so, and begins when it is told to."""
    torch.set_num_threads(1)
    arena = Arena.of(source, seed)
    fold = arena.folds[0]
    data, validation = parts(fold, fold.source.train), parts(fold, fold.score)
    keras.utils.set_random_seed(seed * 1000 + sum(role.encode()))
    hypermodel = RecipeModel(arena, folder / f"{role}.notes")
    print("ready", flush=True)
    sys.stdin.readline()
    tuner = keras_tuner.Hyperband(
        hypermodel,
        objective=keras_tuner.Objective(OBJECTIVE, "min"),
        max_epochs=arena.space.base.epochs,
        factor=FACTOR,
        hyperband_iterations=1000,
        seed=seed,
        max_consecutive_failed_trials=1000,
        directory=folder,
        project_name="hyperband",
    )
    tuner.search(*data, validation_data=validation)


def search(source: str, budget: float, seed: int, cores: int) -> dict[str, Any]:
    """Incumbents of one search of `budget` seconds, and how many trainings it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        roles = ["chief", *(f"worker{i}" for i in range(cores))]
        crew = [_start(role, folder, port, source, seed) for role in roles]
        try:
            for process in crew:
                assert process.stdout is not None
                while process.stdout.readline().strip() != "ready":
                    if process.poll() is not None:
                        raise SystemExit(f"a process of KerasTuner ended with code {process.returncode}.")
            begin = time.monotonic()
            for process in crew:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            time.sleep(budget)
        finally:
            for process in crew:
                process.kill()
            for process in crew:
                process.communicate()
        notes = [json.loads(line) for path in folder.glob("*.notes") for line in path.read_text().splitlines()]
    incumbents = Incumbents()
    for at, score, recipe in sorted(notes):
        if at <= begin + budget:
            incumbents.offer(at - begin, score, Recipe.loads(recipe))
    return {"incumbents": incumbents.found, "finished": len(notes)}


def _start(role: str, folder: Path, port: str, source: str, seed: int) -> "subprocess.Popen[str]":
    own = {"KERASTUNER_TUNER_ID": role, "KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": port}
    return subprocess.Popen(
        [sys.executable, __file__, role, str(folder), source, str(seed)],
        env={**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", **own},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


if __name__ == "__main__":
    role, folder, source, seed = sys.argv[1:]
    work(role, Path(folder), source, int(seed))
