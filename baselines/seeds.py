"""The control: the stock, again and again, under fresh training seeds. Any "improvement" it finds is luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.strategy import Candidate, NoiseFloor, TaskFacts, Trial


class Seeds:
    def __init__(self, task: TaskFacts, seed: int) -> None:
        self.stock = task.stock
        self.replicate = 0

    def ask(self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None) -> Candidate:
        self.replicate += 1  # replicate 0 is the stock that begins every study
        return Candidate(self.stock, replicate=self.replicate, parent=0, note=f"training seed {self.replicate}")

    def tell(self, trial: Trial) -> None:
        """The control does not learn."""
