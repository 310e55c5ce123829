"""What a strategy is: it proposes candidates and is told what became of them. It runs, measures and spends nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from search.study.trial import Candidate, Trial, Unusable, Verdict


@dataclass(frozen=True)
class TaskFacts:
    """What a strategy may know of the task.

    `stock`: the `train.py` text that the study starts from. `folder`: where a strategy keeps what must not be paid for
    twice; what it puts into `folder / "0007"` is published beside trial 7. A strategy creates it when it needs it. `begun`:
    so many trials were asked for before this start, and are asked for again. `say`: tells who watches a line. `stop`:
    whether a stop was requested; what waits for long asks it now and then.
    """

    name: str
    stock: str
    device: str
    threads: int
    sequence_length: int
    vocab_size: int
    budget: str  # in words, such as "300 seconds of training"
    limits: str  # in words
    folder: Path
    begun: int = 0
    say: Callable[[str], None] = print
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class NoiseFloor:
    """Spread of val_bpb among the trials of the experiment's control: same program, fresh training seeds."""

    mean: float
    sd: float
    trials: int


@dataclass(frozen=True)
class Done:
    """The strategy has nothing left to propose."""

    reason: str


@runtime_checkable
class NeedsServer(Protocol):
    """A strategy that cannot do without something that may be out of reach, such as a server."""

    def check_server(self) -> None:
        """Asked once, before a study's first training run is paid for. Raises UserError where it could not go on."""
        ...


class Strategy(Protocol):
    """Built as `factory(task=TaskFacts, seed=int, noise_floor=NoiseFloor | None, **settings)`; settings come from its YAML.

    Its state is a function of the seed and of what it was told: with the same seed and the same trials it proposes the
    same, in another process too. Resuming a study repeats every ask and tell.
    """

    def ask(self, history: Sequence[Trial]) -> Candidate | Unusable | Done:
        """The next candidate, given all trials so far; the first of them is the stock, which the study runs unasked."""
        ...

    def tell(self, trial: Trial) -> Verdict | None:
        """What became of the stock or of the last candidate (never of an anchor). None: the study judges, by best score.

        A candidate that repeats an earlier trial (`Trial.duplicate_of`) is not trained: its outcome is that trial's, it is
        in no history and costs nothing, and the strategy is asked again.
        """
        ...
