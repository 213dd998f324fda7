"""What goes together: techniques with each other, and with a task and a kind of data."""

from collections.abc import Iterable, Sequence

from tauten.errors import ContractError, RecipeError
from tauten.technique import Technique
from tauten.text.layout import TextLayout

MAKERS = {
    "translations": "--back-translate spa makes them",
    "synonyms": "a pretrained encoder's pieces of words have none",
    "typos": "a pretrained encoder's pieces of words have none",
}
"""How a person has planes of a text made that are not made by themselves, or why there are none."""


def check_partners(chosen: Iterable[Technique]) -> None:
    """RecipeError where a technique stands twice or two exclude each other."""
    names = [t.name for t in chosen]
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"{name} stands twice in the recipe; keep one.")
    for one in chosen:
        if both := [name for name in one.excludes if name in names]:
            raise RecipeError(f"{one.name} can't be combined with {both[0]}; remove one of the two.")


def check_fit(chosen: Iterable[Technique], task: str, data: str, layout: TextLayout | None = None) -> None:
    """RecipeError where a technique makes no sense for this task or this kind of data."""
    for t in chosen:
        if why := misfit(type(t), task, data, layout):
            raise RecipeError(f"{t.name} {why}; leave it out of the recipe.")


def in_order(chosen: Iterable[Technique]) -> tuple[Technique, ...]:
    """Sorted so that each acts after those it declares in `after`, by name where nothing is declared."""
    waiting = sorted(chosen, key=lambda t: t.name)
    ordered: list[Technique] = []
    while waiting:
        names = {t.name for t in waiting}
        ready = [t for t in waiting if not names & set(t.after)]
        if not ready:
            raise ContractError(f"the techniques {', '.join(sorted(names))} each want to act after another.")
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return tuple(ordered)


def data_of(shape: Sequence[int]) -> str:
    """The kind of data whose rows have this shape: three axes (channels, height, width) are images, all else tables.

    >>> data_of((3, 32, 32)), data_of((13,))
    ('images', 'tables')
    """
    return "images" if len(shape) == 3 else "tables"


def misfit(kind: type[Technique], task: str, data: str, layout: TextLayout | None = None) -> str:
    """Why a technique makes no sense here, in words that follow its name; empty where it does.

    `layout` says what planes rows of text have.

    >>> from tauten.technique import technique
    >>> misfit(technique("label_smoothing"), "regression", "tables")
    'is for classification and this is regression'
    """
    for wanted, given in ((kind.tasks, task), (kind.data, data)):
        if given not in wanted:
            verb = "these are" if given == data else "this is"
            return f"is for {' and '.join(wanted)} and {verb} {given}"
    if layout is not None and not all(getattr(layout, name) for name in kind.planes):
        cure = "".join(f" ({MAKERS[name]})" for name in kind.planes if name in MAKERS)
        return f"needs {' and '.join(kind.planes)} of the texts and there are none{cure}"
    return ""
