"""Facts about each study, and how the trials of each strategy went. Nothing here is estimated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from search.compare.analyse.importance import importance
from search.compare.analyse.noise import Noise
from search.compare.analyse.quantity import Evidence, winner_of_record
from search.compare.analyse.reference import reference_of
from search.compare.read.tables import Experiment, Planned, Scalar, StudyTable, TrialRow
from search.config.messages import UserError
from search.study.budget import known_total
from search.study.trial import Origin, Status


@dataclass(frozen=True)
class ConstantChange:
    """A constant that the winner changed. `stock` is None where the record does not hold it."""

    name: str
    stock: Scalar
    winner: Scalar


@dataclass(frozen=True)
class Edit:
    """One step on the way from the stock to the winner. `kind`: of the change against the step before. `within_noise`:
    whether it gained less than the noise floor; None where that is unknown."""

    trial: int
    note: str
    kind: str | None
    val_bpb: float | None
    within_noise: bool | None


@dataclass(frozen=True)
class StudyFacts:
    """One study. `trials` count against the budget (anchors do not); `completed` of them have a score, audited or not: they
    are what luck has drawn from. `winner`: its number; `search_score`: its val_bpb; `against`: the stock's, which its claim
    is measured against. `luck`: the 5 and 95 % ends of the best of as many draws of the stock; None without a control or
    beyond its band. `edits` lead from the stock to the winner.
    `better_since`: the number of a later winner than the one that was confirmed. `importance`: of a tuner's constants."""

    study: str
    strategy: str
    search_seed: int
    trials: int
    completed: int
    winner: int | None
    search_score: float | None
    against: float | None
    luck: tuple[float, float] | None
    kind: str | None
    constants: tuple[ConstantChange, ...]
    left_in_code: tuple[str, ...]
    edits: tuple[Edit, ...]
    confirmed: bool
    better_since: int | None
    importance: dict[str, float]


@dataclass(frozen=True)
class Reliability:
    """How one strategy's trials went, all its studies together, anchors left out.

    `statuses`: trials by how they ended. `seconds`: by phase of a trial. `tried`, `kept`: programs, by kind of change
    against the parent. `llm_*`: None where no LLM was asked or where it is unknown. `about`: the remark on its LLM, or on
    what answered in its place.
    """

    strategy: str
    role: str
    studies: int
    trials: int
    statuses: dict[str, int]
    seconds: dict[str, float]
    hours: float
    train_hours: float
    llm_seconds: float | None
    llm_usd: float | None
    llm_calls: int | None
    tried: dict[str, int]
    kept: dict[str, int]
    flags: dict[str, int]
    about: str | None


def study_facts(study: StudyTable, evidence: Evidence) -> StudyFacts:
    planned = evidence.planned.get(study.identity)
    winner = winner_of_record(study, planned)
    if planned is not None and winner is None:
        raise UserError(
            f"{study.identity}: the confirmation trained trial {planned.winner.trial}, whose score the study's table lacks; "
            "give the study's command again, which publishes it"
        )
    reference = None if winner is None or winner.score is None else reference_of(study, winner, evidence.noise)
    completed = sum(row.status == Status.COMPLETED for row in study.trials)
    return StudyFacts(
        study=study.identity,
        strategy=study.strategy,
        search_seed=study.search_seed,
        trials=len(study.trials),
        completed=completed,
        winner=None if winner is None else winner.number,
        search_score=None if winner is None else winner.score,
        against=None if reference is None else reference.value,
        luck=None if evidence.noise.band is None else evidence.noise.band.at(completed),
        kind=None if winner is None else winner.kind_from_stock,
        constants=() if winner is None else _constants(winner),
        left_in_code=() if planned is None else planned.left_in_code,
        edits=() if winner is None else _edits(study, winner, evidence.noise),
        confirmed=planned is not None,
        better_since=_better_since(study, planned),
        importance=importance(study),
    )


def reliability_of(experiment: Experiment, strategy: str) -> Reliability:
    studies = experiment.of(strategy)
    rows = [row for study in studies for row in study.trials]
    seconds: Counter[str] = Counter()
    for row in rows:
        seconds.update(row.seconds)
    asked = [row for row in rows if row.asked_llm]
    kept = [row for study in studies for row in _kept(study)]
    return Reliability(
        strategy=strategy,
        role=experiment.role_of(strategy),
        studies=len(studies),
        trials=len(rows),
        statuses=dict(Counter(row.status for row in rows)),
        seconds=dict(seconds),
        hours=sum(row.finished - row.started for row in rows) / 3600,
        train_hours=sum(row.train_seconds for row in rows) / 3600,
        llm_seconds=sum(row.llm_seconds for row in asked) if asked else None,
        llm_usd=dollars(asked) if asked else None,
        llm_calls=sum(row.llm_calls for row in asked) if asked else None,
        tried=_kinds(rows),
        kept=_kinds(kept),
        flags=dict(Counter(flag for row in rows for flag in (*row.flags, *row.doubts))),
        about=studies[0].about,
    )


def _kept(study: StudyTable) -> list[TrialRow]:
    """The trials of programs that were kept, be it by another training run of theirs."""
    sources = {row.source for row in study.trials if row.kept}
    return [row for row in study.trials if row.source in sources]


def _kinds(rows: Sequence[TrialRow]) -> dict[str, int]:
    """Proposals by kind of change. Another training run of a program has none."""
    return dict(Counter(str(row.kind) for row in rows if row.origin == Origin.STRATEGY and row.kind not in (None, "none")))


def dollars(rows: Sequence[TrialRow]) -> float | None:
    """What their replies cost; 0 where no LLM was asked, None where a price is unknown."""
    return known_total(row.usd for row in rows if row.asked_llm)


def _better_since(study: StudyTable, planned: Planned | None) -> int | None:
    now = study.winner
    if planned is None or now is None or now.number == planned.winner.trial or len(planned.screened) > 1:
        return None
    return now.number


def _constants(winner: TrialRow) -> tuple[ConstantChange, ...]:
    return tuple(
        ConstantChange(name, winner.constants_before.get(name), value) for name, value in sorted(winner.constants.items())
    )


def _edits(study: StudyTable, winner: TrialRow, noise: Noise) -> tuple[Edit, ...]:
    """The chain of parents from the stock (left out) to the winner."""
    by_number = {row.number: row for row in study.rows}
    chain: list[Edit] = []
    row: TrialRow | None = winner
    while row is not None and row.number > 0:
        parent = None if row.parent is None or row.parent >= row.number else by_number.get(row.parent)
        chain.append(Edit(row.number, row.note, row.kind, row.val_bpb, _is_within_noise(row, parent, noise)))
        row = parent
    return tuple(reversed(chain))


def _is_within_noise(row: TrialRow, parent: TrialRow | None, noise: Noise) -> bool | None:
    if noise.sd is None or parent is None or row.val_bpb is None or parent.val_bpb is None:
        return None
    return parent.val_bpb - row.val_bpb < noise.sd.sd
