"""Proposes a confirmation's training runs in their order: every arm once, then every arm again, so that drift hits all
alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.confirm.plan import STOCK, Plan
from search.study.contract import Done
from search.study.trial import Candidate, Trial, Verdict

SCREENING_REPLICATES = 2**20  # screening's replicate numbers begin here, so that its seeds are no report's


class Repeats:
    """Works off its plans, the oldest first; what an earlier one has trained, a later one does not train again.

    `texts`: the program of every arm by its name. The study itself trains the stock's first repeat.
    """

    def __init__(self, plans: Sequence[Plan], texts: Mapping[str, str]) -> None:
        self.plans = list(plans)
        self.texts = dict(texts)

    def ask(self, history: Sequence[Trial]) -> Candidate | Done:
        done = {
            (trial.candidate.facts["arm"], trial.candidate.replicate) for trial in history if trial.candidate is not None
        }
        for arm, replicate, stage in self.wanted():
            if (arm, replicate) not in done:
                note = f"{arm} ({stage} {replicate % SCREENING_REPLICATES + 1})"
                return Candidate(self.texts[arm], replicate, 0, note=note, facts={"arm": arm, "stage": stage})
        return Done("everything planned is trained")

    def tell(self, trial: Trial) -> Verdict:
        return Verdict(False, "a repeat")

    def wanted(self) -> list[tuple[str, int, str]]:
        """Arm, replicate and stage of everything planned, in the order of training, each once."""
        found: dict[tuple[str, int], str] = {(STOCK, 0): "report"}
        for plan in self.plans:
            first = SCREENING_REPLICATES if plan.stage == "screening" else 0
            for repeat in range(plan.repeats):
                for arm in plan.arms:
                    found.setdefault((arm, first + repeat), plan.stage)
        return [(arm, replicate, stage) for (arm, replicate), stage in found.items()]
