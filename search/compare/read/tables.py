"""Tables of an experiment's studies and of its confirmation, as frozen values: what a comparison starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from search.study.trial import Origin
from search.study.winner import winner_of

Scalar = bool | int | float | str | None  # a constant of a train.py

STOCK = "stock"  # the confirmation's arm of that name
REPORT = "report"  # the stage whose repeats count; the stage "screening" only chose among candidates


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial, as `search.tracking.trial_row.row` wrote it. `score`: the val_bpb, if the trial may win. `probe_before`:
    the machine's speed at a fixed piece of work, if it was measured.

    Only in a confirmation: `confirmation_bpb`, `arm`, `stage`, and the block that it belongs to: `search_seed` and `repeat`;
    `visit` counts the times at which a block's runs were trained side by side, `run` the stock's runs in a block.

    `constants`: name -> value where it differs from the stock; `constants_before`: the stock's values of these. `kind`: of
    the change against the parent, `kind_from_stock`: against the stock. `asked_llm`: whether a reply is on record that took
    tokens; a playbook's takes none. `device`: its model and, after the last space, its own id; empty where nothing was
    trained. `telemetry`: what the machine did during training; it lacks what was not recorded.

    `source`: the program's hash. `expected`: the gain over the parent that the strategy expected. Not in the first records:
    `touched`: the parts that the change against the parent touched, with its words; `code`: what differs from the stock's
    code, by part (see `search.study.touched`); `repeats`: how many proposals and replies before this one had been tried.
    """

    number: int
    origin: str
    status: str
    val_bpb: float | None
    score: float | None
    confirmation_bpb: float | None
    audited: bool
    kept: bool | None
    reason: str
    training_seed: int
    parent: int | None
    note: str
    kind: str | None
    kind_from_stock: str | None
    constants: dict[str, Scalar]
    constants_before: dict[str, Scalar]
    flags: tuple[str, ...]
    doubts: tuple[str, ...]
    arm: str | None
    stage: str | None
    search_seed: int | None
    repeat: int | None
    visit: int | None
    asked_llm: bool
    usd: float | None
    llm_seconds: float
    llm_calls: int
    started: float
    finished: float
    train_seconds: float
    seconds: dict[str, float]
    tokens_per_second: float | None
    device: str
    telemetry: dict[str, float]
    probe_before: float | None
    source: str | None
    touched: dict[str, list[str]] | None
    code: dict[str, str] | None
    expected: float | None
    repeats: int | None

    @property
    def is_anchor(self) -> bool:
        return self.origin == Origin.ANCHOR

    @property
    def model(self) -> str | None:
        """The device's model. None if it is not on record: the first rows have only the kind before the id."""
        model = self.device.rpartition(" ")[0]
        return None if model in ("", "cpu", "cuda") else model


@dataclass(frozen=True)
class StudyTable:
    """One study. `strategy`: with its variant, as studies are grouped; `name`: without. `overrides`: its command
    line's words. `header`: the rest of its record. `change`: the published diff from the stock to the winner."""

    identity: str
    strategy: str
    name: str
    role: str
    search_seed: int
    overrides: tuple[str, ...]
    header: dict[str, Any]
    rows: tuple[TrialRow, ...]
    change: str | None = None

    @property
    def is_control(self) -> bool:
        return self.role == "control"

    @cached_property
    def trials(self) -> tuple[TrialRow, ...]:
        """The trials that count against the budget: all but the anchors."""
        return tuple(row for row in self.rows if not row.is_anchor)

    @cached_property
    def winner(self) -> TrialRow | None:
        """What the strategy last kept, as `search.study.winner` defines it."""
        return winner_of(self.trials)

    @property
    def about(self) -> str | None:
        """The remark that is shown with every study of its LLM, or of its coding agent."""
        strategy = self.header["config"]["strategy"]
        return (strategy.get("llm") or strategy.get("coder") or {}).get("about")

    @property
    def is_without_llm(self) -> bool:
        """Whether something else answered instead of an LLM, such as a playbook."""
        return self.about is not None and not any(row.asked_llm for row in self.rows)

    def winner_at(self, trials: int) -> TrialRow | None:
        """The winner as of the first so many trials."""
        return winner_of(self.trials[:trials])


@dataclass(frozen=True)
class Arm:
    """A program of the confirmation, and the trial that it was first."""

    trial: int
    name: str


@dataclass(frozen=True)
class Step:
    """An edit on the way to a winner. `arm`: the winner without it; None where it cannot be left out, and `why`."""

    trial: int
    note: str
    arm: str | None
    why: str


@dataclass(frozen=True)
class Planned:
    """What a plan says of one study. `constants`: the arm of its constants alone, None where the winner changed nothing
    else. `left_in_code`: constants of the winner that the stock does not have. `at`: the winner as of so many trials.
    `steps`: of the winner, where it is also trained without each of them."""

    search_seed: int
    winner: Arm
    constants: str | None
    left_in_code: tuple[str, ...]
    screened: tuple[Arm, ...]
    at: dict[int, Arm]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class ConfirmationPlan:
    """A confirmation's plan; each after the first is a later look. `looks`: how many were planned. `at`: budgets, in
    trials, whose winners are arms too."""

    repeats: int
    top: int
    looks: int
    stock_runs: int
    at: tuple[int, ...]
    studies: dict[str, Planned]


@dataclass(frozen=True)
class ConfirmationTable:
    """The experiment's confirmation: its plans, oldest first, and what was trained. Empty where there is none."""

    plans: tuple[ConfirmationPlan, ...] = ()
    rows: tuple[TrialRow, ...] = ()

    @property
    def repeats(self) -> int:
        """How many repeats are planned by now."""
        return self.plans[-1].repeats if self.plans else 0

    @property
    def at(self) -> tuple[int, ...]:
        """Budgets whose winners are arms too, by now."""
        return self.plans[-1].at if self.plans else ()

    @cached_property
    def studies(self) -> dict[str, Planned]:
        """The last word on each study that was ever planned."""
        return {identity: planned for plan in self.plans for identity, planned in plan.studies.items()}

    @cached_property
    def trained(self) -> frozenset[tuple[int | None, int | None, str | None]]:
        """Search seed, repeat and arm of each run that counts, whether it failed or not."""
        return frozenset((row.search_seed, row.repeat, row.arm) for row in self.rows if row.stage == REPORT)


@dataclass(frozen=True)
class Experiment:
    """Studies of one task that may be compared. `task`: its name; `task_facts`: what its fingerprint stands for. `empty`:
    studies that have no finished trial yet. `imported`: names of logs that were run elsewhere, and that nothing counts."""

    name: str
    task: str
    task_facts: dict[str, Any]
    task_fingerprint: str
    studies: tuple[StudyTable, ...]
    confirmation: ConfirmationTable
    empty: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()

    @cached_property
    def control(self) -> tuple[StudyTable, ...]:
        return tuple(study for study in self.studies if study.is_control)

    @cached_property
    def strategies(self) -> tuple[str, ...]:
        """Agents first, then baselines, and the control last."""
        ranks = {"agent": 0, "baseline": 1, "control": 2}
        return tuple(sorted({s.strategy for s in self.studies}, key=lambda label: (ranks[self.role_of(label)], label)))

    def of(self, strategy: str) -> tuple[StudyTable, ...]:
        """A strategy's studies by search seed."""
        return tuple(sorted((s for s in self.studies if s.strategy == strategy), key=lambda study: study.search_seed))

    def role_of(self, strategy: str) -> str:
        """What a strategy is in the comparison: control, baseline or agent."""
        return self.of(strategy)[0].role
