"""Shows what `study.prune` would have done to finished studies: what it saves, and which later winners it would have
ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from search.config.places import STUDIES
from search.config.schema import BudgetConfig, Config, restored
from search.study.journal import FILE, Entry, Journal
from search.study.prune import Policy, Pruned
from search.study.schedule import Asked
from search.study.trial import Origin, Trial
from search.study.winner import by_best_score, winner_of

MARGINS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # nats per token


@dataclass(frozen=True)
class Replay:
    """One study under one margin. `trials`: that the strategy had trained. `ended`: of them, early. `saved`: of all training
    time, the share. `records`: of the ended ones, those that had become the best so far. `winner`: whether the study's
    winner is one."""

    trials: int
    ended: int
    saved: float
    records: int
    winner: bool


def replay(entries: Sequence[Entry], budget: BudgetConfig, margin: float) -> Replay:
    """`entries`: of a study that ran without pruning, in the order of telling. Ended trials cannot become the best."""
    policy, history, best = Policy(margin, budget), list[Trial](), None
    total = saved = 0.0
    ended: list[tuple[Entry, bool]] = []
    for entry in entries:
        trial = entry.trial
        kept = by_best_score(trial, best).kept
        pruned = _pruned(policy, entry, history, best)
        total += trial.outcome.train_seconds
        if pruned is not None:
            saved += (1 - pruned.share) * trial.outcome.train_seconds
            ended.append((entry, kept))
        elif kept:
            best = trial
        history.append(trial)
    won = winner_of(entries)
    return Replay(
        trials=sum(entry.origin is Origin.STRATEGY and bool(entry.trial.outcome.losses) for entry in entries),
        ended=len(ended),
        saved=saved / total if total else 0.0,
        records=sum(kept for _, kept in ended),
        winner=any(entry is won for entry, _ in ended),
    )


def _pruned(policy: Policy, entry: Entry, history: Sequence[Trial], best: Trial | None) -> Pruned | None:
    """When the trial would have been ended, had its losses been reported one by one."""
    asked = Asked(entry.number, entry.origin, entry.trial.answer, entry.training_seed, entry.started, None)
    rule, losses = policy.rule(asked, history, best), entry.trial.outcome.losses
    if rule is None:
        return None
    verdicts = (rule.judge(losses[: reported + 1]) for reported in range(len(losses)))
    return next((verdict for verdict in verdicts if verdict is not None), None)


def tables(config: Config) -> Iterator[str]:
    """The finished studies of the experiment, all together."""
    folder = STUDIES / config.experiment / config.task.name
    studies = list(_studies(config))
    if not studies:
        yield f"No study with loss curves yet in {folder}"
        return
    yield f"{len(studies)} studies in {folder}\n"
    yield "| `study.prune` | trials | ended early | training time saved | of these, were the best so far | winners ended |"
    yield "|---|---|---|---|---|---|"
    for margin in MARGINS:
        found = [replay(entries, budget, margin) for entries, budget in studies]
        trials, ended, saved, records, winners = (sum(values) for values in zip(*map(astuple, found), strict=True))
        yield f"| {margin:g} | {trials} | {ended} | {saved / len(found):.1%} | {records} | {winners} |"


def _studies(config: Config) -> Iterator[tuple[list[Entry], BudgetConfig]]:
    """Those that ran without pruning, and reported losses."""
    for path in sorted((STUDIES / config.experiment / config.task.name).glob(f"*/*/{FILE}")):
        with Journal(path.parent, print) as journal:
            if journal.header is None or journal.header["role"] != "study":
                continue
            begun = restored(journal.header["config"])
            if begun.study.prune is None and any(entry.trial.outcome.losses for entry in journal.entries):
                yield journal.entries, begun.task.budget
