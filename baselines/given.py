"""Programs that are there already, such as those that somebody else's night kept: each is trained here as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from search.config.places import resolve
from search.strategy import Candidate, NoiseFloor, TaskFacts, Trial, UserError, Verdict


class Given:
    """Proposes the programs of a folder in the order of their names; when all are trained, again under other training seeds.
    Each counts as kept, whatever its score: what is asked is what they are worth, and a confirmation tells that of the
    last, and with `at=` of each."""

    def __init__(self, task: TaskFacts, seed: int, programs: str | None) -> None:
        """`programs`: a folder of `.py` files. Raises UserError where it has none."""
        self.programs = _read(programs)
        self.asked = 0

    def ask(self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None) -> Candidate:
        replicate, at = divmod(self.asked, len(self.programs))
        self.asked += 1
        name, text = self.programs[at]
        return Candidate(text, replicate=replicate, parent=0, note=name)

    def tell(self, trial: Trial) -> Verdict | None:
        """The stock is judged as usual."""
        if trial.number == 0 or trial.score is None:
            return None
        return Verdict(True, f"{trial.score:.4f}: given, and kept whatever it scores")


def _read(programs: str | None) -> list[tuple[str, str]]:
    """Names and texts."""
    if programs is None:
        raise UserError("strategy.programs: is not set; give the folder with the programs")
    folder = resolve(programs)
    try:
        files = sorted(path for path in Path(folder).iterdir() if path.suffix == ".py")
        found = [(path.name, path.read_text(encoding="utf-8")) for path in files]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"strategy.programs={programs}: cannot be read ({error}); give a folder of Python programs"
        ) from error
    if not found:
        raise UserError(f"strategy.programs={programs}: has no .py files; give a folder of Python programs")
    return found
