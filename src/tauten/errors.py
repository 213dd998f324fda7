"""What can go wrong, as one tree.

    TautenError
    ├── UsageError            a person's input; the command line prints it as one sentence and exits with 2
    │   ├── OptionError       an option or argument is out of range or contradicts another
    │   ├── DataError         the file, the table or the target can't be used as given
    │   ├── RecipeError       a recipe names an unknown key or holds a value out of bounds
    │   ├── ModelError        a network can't be used or stacked as given
    │   └── RunError          a run folder can't be read, written or resumed
    └── ContractError         a technique breaks the contract (for authors of techniques)

Every message names the value that was given, what was expected, and the fix.
"""


class TautenError(Exception):
    """Root of every error that Tauten raises on purpose."""


class UsageError(TautenError, ValueError):
    """A person's input can't be used; nothing was lost and nothing was written."""


class OptionError(UsageError):
    """An option or argument is out of range or contradicts another."""


class DataError(UsageError):
    """The file, the table or the target can't be used as given."""


class RecipeError(UsageError):
    """A recipe names an unknown key or holds a value out of bounds."""


class ModelError(UsageError):
    """A network can't be used or stacked as given."""


class RunError(UsageError):
    """A run folder can't be read, written or resumed."""


class ContractError(TautenError, TypeError):
    """A technique breaks the contract that `tauten.technique` states."""
