"""The contract of a strategy: it proposes candidates and is told their outcomes. It runs, measures and spends
nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

from search.config.messages import UserError
from search.config.schema import StudyConfig
from search.study.external import Programs
from search.study.trial import Candidate, Trial, Unusable, Verdict

if TYPE_CHECKING:
    from search.study.reads import Past


def nothing_to_read(name: str) -> NoReturn:
    """Where there are no other studies."""
    raise UserError(f"{name}: no other study can be read here")


@dataclass(frozen=True)
class TaskFacts:
    """What a strategy may know of the task.

    `stock`: the `train.py` text that the study starts from. `folder`: where a strategy keeps what must not be paid for
    twice, such as replies; whatever it puts into `folder / "0007"` is published beside trial 7. A strategy creates it
    when it needs it. `begun`: how many trials were asked for before this start; they are asked for again. `say`: shows
    the user a line. `stop`: whether a stop was requested; code that waits for long must check it now and then.
    `budget_tokens`: the budget of one training run, if it is in tokens. `text`: what is trained on and scored, in
    words. `training_tokens`: how many there are. `bytes_per_token`: of the scored text. `api`: what a program may call
    of the harness. `study`: what the study may spend; it may be extended later, so nothing but words to an LLM may
    depend on it. `read`: another study, by its name (see `search.study.reads.Reads.study`); for the factory only, since
    what was read is recorded as the study begins. `reports`: likewise the reports that a name or a path means (see
    `Reads.reports`). `programs`: runs external programs; None if nothing does. `check`: builds the model of a program
    and takes a step on synthetic tokens on the CPU, and returns why that fails, in words with the end of what the
    program printed; empty if it works; None if nothing checks programs.
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
    budget_tokens: int | None = None
    text: str = ""
    training_tokens: int | None = None
    bytes_per_token: float | None = None
    api: str = ""
    study: StudyConfig = field(default_factory=StudyConfig)
    read: Callable[[str], Past] = nothing_to_read
    reports: Callable[[str], Sequence[Mapping[str, Any]]] = nothing_to_read
    programs: Programs | None = None
    check: Callable[[str], str] | None = None


FEWEST = 5  # scores that a noise floor needs: with 2 it was 18 times too small in a study that began with its control


@dataclass(frozen=True)
class NoiseFloor:
    """Spread of val_bpb among the trials of the experiment's control: same program, fresh training seeds. There is none
    before the control has FEWEST trials with a score."""

    mean: float
    sd: float
    trials: int


@dataclass(frozen=True)
class Done:
    """The strategy has nothing left to propose."""

    reason: str


@runtime_checkable
class NeedsServer(Protocol):
    """A strategy that depends on something that may be unreachable, such as a server."""

    def check_server(self) -> None:
        """Called once, before a study's first training run. Raises UserError if the study cannot continue."""
        ...


@runtime_checkable
class Rebases(Protocol):
    """A strategy whose proposals are changes of a program, which another may replace before they are tried."""

    def is_stale(self, candidate: Candidate) -> bool:
        """Whether the strategy now builds on something other than what this proposal was made from."""
        ...

    def rebase(
        self, number: int, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable:
        """A new proposal for trial `number`, which is not in `pending`. It is never stale itself."""
        ...


class Strategy(Protocol):
    """Built as `factory(task=TaskFacts, seed=int, **settings)`; settings come from its YAML.

    Its state is a function of the seed and of what it was asked and told, in that order: with the same seed, asks and
    tells it makes the same proposals, even in another process. Resuming a study repeats every ask and tell.
    """

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        """The next candidate.

        `history`: all trials that have ended, in the order of telling; the first is the stock, which the study runs
        unasked. `pending`: the running trials by number, anchors included. The proposal becomes trial `len(history) +
        len(pending)`. The strategy may be asked again before that trial ends. `noise_floor`: what the experiment's
        control has measured so far. It is recorded with the ask, and a resumed study gives the same value.
        """
        ...

    def tell(self, trial: Trial) -> Verdict | None:
        """Called with each finished trial of the stock or of a candidate, never with an anchor. If several trials run
        at once they end in any order; their numbers say which is which. If it returns None, the study judges, by best
        score.

        A candidate that repeats another trial (`Trial.duplicate_of`) is not trained. It has that trial's outcome, is in
        no history and costs nothing. The strategy is then asked again for the same number.
        """
        ...
