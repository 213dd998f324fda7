"""A recipe in a plain PyTorch loop: handwritten digits from 150 labelled images, plain and with a recipe.

python examples/attach_plain_loop.py
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tauten.recipe import Recipe

RECIPE = """
[setting]
optimizer = "adamw"
learning_rate = 0.003
schedule = "cosine"
epochs = 60

[techniques.dropout]
p = 0.3

[techniques.mixup]
alpha = 0.4

[techniques.weight_decay]
strength = 0.05

[techniques.early_stopping]
patience = 20
"""


def train(recipe: Recipe, loader: DataLoader, x_valid: torch.Tensor, y_valid: torch.Tensor) -> nn.Module:
    """An ordinary loop; what the recipe adds happens inside `run.loss` and `run.step`."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    run = recipe.attach(model, task="classification", classes=10, steps_per_epoch=len(loader), seed=0)
    for _ in range(run.epochs):
        for x, y in loader:
            run.loss(x, y).backward()
            run.step()
        if run.stop(F.cross_entropy(run.evaluate(x_valid), y_valid)):
            break
    return run.deliver()


def main() -> None:
    """Train twice on the same rows and print the accuracy on rows that neither training saw."""
    torch.set_num_threads(1)
    table = load_digits()
    x, y = torch.tensor(table.data / 16, dtype=torch.float32), torch.tensor(table.target)
    fit, test = train_test_split(torch.arange(len(x)), train_size=200, stratify=y, random_state=0)
    fit, valid = train_test_split(fit, train_size=150, stratify=y[fit], random_state=0)

    recipe = Recipe.loads(RECIPE)
    for name, chosen in (("plain", recipe.only("early_stopping")), ("recipe", recipe)):
        loader = DataLoader(TensorDataset(x[fit], y[fit]), batch_size=32, shuffle=True)
        model = train(chosen, loader, x[valid], y[valid])
        with torch.no_grad():
            accuracy = (model(x[test]).argmax(-1) == y[test]).float().mean()
        print(f"{name:6}  accuracy {accuracy:.1%} on {len(test)} unseen images")


if __name__ == "__main__":
    main()
