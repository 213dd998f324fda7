"""Rates of contenders that take turns, each in processes of its own, so that a ratio comes from one stretch of time.

A contender is a generator that yields the work done after each visit; its first visit is the warm-up. Processes of one
contender start each stretch at a barrier, and their rates are added.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

START = multiprocessing.get_context("spawn")
PATIENCE = 600
"""Seconds that a contender may take to set itself up, compilation included."""


@dataclass(frozen=True)
class Contender:
    """What to run: `visits(*given)` in so many processes, each with so many threads (None: torch's default)."""

    visits: Callable[..., Iterator[float]]
    given: tuple[Any, ...]
    processes: int = 1
    threads: int | None = 1


class Crew:
    """The processes of one contender, from their warm-up to the end of the context."""

    def __init__(self, contender: Contender) -> None:
        self._barrier = START.Barrier(contender.processes)
        self._pipes, self._processes = [], []
        for _ in range(contender.processes):
            pipe, other = START.Pipe()
            self._processes.append(START.Process(target=_serve, args=(other, self._barrier, contender), daemon=True))
            self._pipes.append(pipe)
            self._processes[-1].start()
            other.close()
        for pipe in self._pipes:
            _answer(pipe)

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.join(10)
            process.terminate()

    def rate(self, seconds: float) -> float:
        """Work a second, over at least so many seconds, summed over the processes."""
        for pipe in self._pipes:
            pipe.send(seconds)
        return sum(_answer(pipe) for pipe in self._pipes)


def interleaved(contenders: Mapping[str, Contender], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Rates of every contender: all are set up, then each is measured in turn, `repeats` times round."""
    with ExitStack() as stack:
        crews = {name: stack.enter_context(Crew(contender)) for name, contender in contenders.items()}
        rounds = [{name: crew.rate(seconds) for name, crew in crews.items()} for _ in range(repeats)]
    return {name: [one[name] for one in rounds] for name in contenders}


def _answer(pipe: Connection) -> float:
    if not pipe.poll(PATIENCE):
        raise TimeoutError(f"a contender gave no answer in {PATIENCE} seconds.")
    try:
        return pipe.recv()
    except EOFError:
        raise RuntimeError("a contender ended without an answer; what it said stands above.") from None


def _serve(pipe: Connection, barrier: Barrier, contender: Contender) -> None:
    import torch

    if contender.threads:
        torch.set_num_threads(contender.threads)
    visits = contender.visits(*contender.given)
    next(visits)
    pipe.send(0.0)
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        barrier.wait()
        begin, done = time.perf_counter(), 0.0
        while (elapsed := time.perf_counter() - begin) < seconds:
            done += next(visits)
        pipe.send(done / elapsed)
