"""A study's running totals."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from search.study.journal import Entry
from search.study.winner import winner_of


@dataclass(frozen=True)
class Totals:
    """A study's running totals, for its curves."""

    winner: Entry | None = None
    train_hours: float = 0.0
    llm: dict[str, float] = field(default_factory=dict)  # dollars, tokens and seconds, as far as they are known
    llm_unknown: frozenset[str] = frozenset()  # of these, the ones that some trial does not know

    def plus(self, entry: Entry) -> Totals:
        trial, cost = entry.trial, entry.trial.answer.cost
        parts = {} if cost is None else asdict(cost)
        unknown = self.llm_unknown | {name for name, value in parts.items() if value is None}
        llm = {name: self.llm.get(name, 0) + (value or 0) for name, value in parts.items()} or self.llm
        return Totals(
            winner=winner_of([entry] if self.winner is None else [self.winner, entry]),
            train_hours=self.train_hours + trial.outcome.train_seconds / 3600,
            llm={name: value for name, value in llm.items() if name not in unknown},
            llm_unknown=unknown,
        )
