"""Early stopping."""

from collections.abc import Sequence

from tauten.technique import Stop, Technique, choice, hyperparameter


class EarlyStopping(
    Technique,
    name="early_stopping",
    paper="Prechelt 1998, 'Early stopping, but when?', Neural Networks: Tricks of the Trade",
    card="patience 5 to 20 epochs. Needs rows that are neither trained on nor scored on. With a learning rate that "
    "falls to zero, or a weight average, it has less to do. It saves time.",
):
    """Stop when the validation loss gets no better, and go back to the weights of the best epoch.

    `no_improvement`: after `patience` epochs without a new best. `rises`: after `patience` consecutive rises.
    """

    patience: int = hyperparameter(
        off=0, low=1, high=10_000, default=10, search=(2, 30), integer=True, doc="epochs to wait"
    )
    mode: str = choice(default="no_improvement", options=("no_improvement", "rises"), doc="what is counted")

    def stop(self, history: Sequence[float]) -> Stop:
        if self.patience == 0 or not history:
            return Stop(False, len(history))
        best = min(range(len(history)), key=lambda i: (history[i] != history[i], history[i]))
        if self.mode == "no_improvement":
            waited = len(history) - 1 - best
        else:
            waited = 0
            while waited < len(history) - 1 and history[-1 - waited] > history[-2 - waited]:
                waited += 1
        return Stop(waited >= self.patience, best + 1)
