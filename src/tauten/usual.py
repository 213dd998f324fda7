"""What people do without a search."""

from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique, technique


def usual(setting: Setting) -> Recipe:
    """AdamW with decay 0.01, dropout 0.2, early stopping, the setting as it is."""
    values: dict[str, dict[str, float]] = {
        "weight_decay": {"strength": 0.01},
        "dropout": {"p": 0.2},
        "early_stopping": {},
    }
    chosen: list[Technique] = [technique(name).from_dict(own) for name, own in values.items()]
    return Recipe(tuple(chosen), setting)
