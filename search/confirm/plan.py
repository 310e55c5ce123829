"""What a confirmation trains: arms, each a program that is trained `repeats` times, and which study they speak for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from search.config.messages import UserError
from search.config.schema import Config
from search.study import source
from search.study.journal import Journal
from search.study.noise_floor import is_control
from search.study.trial import Origin, Trial
from search.study.winner import ranked

STOCK = "stock"  # the arm of that name


@dataclass(frozen=True)
class StudyRecord:
    """A study as its journal tells it: its settings, the stock's text, and its scored trials, best first."""

    identity: str
    config: Config
    header: Mapping[str, Any]
    stock: str
    ranked: tuple[Trial, ...]

    @classmethod
    def read(cls, journal: Journal, config: Config) -> StudyRecord:
        assert journal.header is not None
        trials = [entry.trial for entry in journal.entries]
        stock = trials[0].candidate.source if trials and trials[0].candidate is not None else ""
        return cls(journal.header["identity"], config, journal.header, stock, tuple(ranked(trials)))

    @property
    def label(self) -> str:
        return f"{self.header['strategy']}, search seed {self.config.seed}"

    @property
    def is_control(self) -> bool:
        return is_control(self.header)


@dataclass
class Arms:
    """Programs by name; two names never stand for one program."""

    texts: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)  # by the program's hash

    def add(self, name: str, text: str) -> str:
        """The name under which a program is trained: the given one, unless it has one already."""
        digest = source.program_hash(text)
        if digest not in self._names:
            # A study that was removed and run anew has other programs under the same numbers.
            self._names[digest] = f"{name} ({digest[:8]})" if name in self.texts else name
            self.texts[self._names[digest]] = text
        return self._names[digest]

    def hashes(self) -> dict[str, str]:
        return {name: digest for digest, name in self._names.items()}


@dataclass(frozen=True)
class Plan:
    """One stage: which arms are trained, how often, and what they say of each study. `stage`: screening or report."""

    stage: str
    repeats: int
    top: int
    arms: dict[str, str]  # name -> the program's hash
    studies: dict[str, dict[str, Any]]

    def record(self) -> dict[str, Any]:
        return asdict(self)


def screening(studies: Sequence[StudyRecord], arms: Arms, repeats: int, top: int) -> Plan:
    """The best `top` trials of each study, to be told apart by seeds that report nothing."""
    chosen: dict[str, dict[str, Any]] = {}
    for study in studies:
        candidates = _different(study.ranked)[:top]
        chosen[study.identity] = {"screened": [_arm_of(trial, study, arms) for trial in candidates]}
    names = {entry["arm"] for study in chosen.values() for entry in study["screened"]} - {STOCK}
    return Plan("screening", repeats, top, {name: hashed for name, hashed in arms.hashes().items() if name in names}, chosen)


def report(studies: Sequence[StudyRecord], arms: Arms, repeats: int, top: int, best: Mapping[str, float]) -> Plan:
    """The stock, each study's winner, and the winner's constants alone. `best`: mean scores of the screening by arm, empty
    where there was none: the best search score then chooses."""
    arms.add(STOCK, studies[0].stock)
    planned: dict[str, dict[str, Any]] = {}
    for study in studies:
        candidates = _different(study.ranked)[:top]
        entries = [_arm_of(trial, study, arms) for trial in candidates]
        at = min(range(len(entries)), key=lambda index: (best.get(entries[index]["arm"], float("inf")), index))
        planned[study.identity] = {
            "winner": entries[at],
            **_constants(candidates[at], study, arms),
            "screened": entries if top > 1 else [],
        }
    used = {STOCK} | {arm for study in planned.values() for arm in (study["winner"]["arm"], study["constants"]) if arm}
    hashes = {name: digest for name, digest in arms.hashes().items() if name in used}
    return Plan("report", repeats, top, hashes, planned)


def _arm_of(trial: Trial, study: StudyRecord, arms: Arms) -> dict[str, Any]:
    assert trial.candidate is not None
    return {"trial": trial.number, "arm": arms.add(f"{study.label}, trial {trial.number}", trial.candidate.source)}


def _constants(winner: Trial, study: StudyRecord, arms: Arms) -> dict[str, Any]:
    """The arm of the winner's constants alone in the stock's code, and the constants that cannot be carried over."""
    assert winner.candidate is not None
    text = winner.candidate.source
    change = source.change(study.stock, text)
    moved = sorted(set(source.constants(study.stock)) ^ set(source.constants(text)))
    if change.kind in ("none", "constants"):
        return {"constants": None, "left_in_code": moved}
    carried = {name: after for name, (_, after) in change.constants.items()}
    alone = source.set_constants(study.stock, carried)
    name = f"{study.label}, trial {winner.number}, its constants alone"
    return {"constants": arms.add(name, alone), "left_in_code": moved}


def _different(ranked: Sequence[Trial]) -> list[Trial]:
    """The best trial of each program."""
    found: dict[str, Trial] = {}
    for trial in ranked:
        assert trial.candidate is not None and trial.origin is not Origin.ANCHOR
        found.setdefault(source.program_hash(trial.candidate.source), trial)
    return list(found.values())


def check_comparable(studies: Sequence[StudyRecord]) -> None:
    """Raise UserError where the studies are of different tasks or stocks, or one has nothing to confirm."""
    first = studies[0]
    for study in studies:
        for name in sorted({*first.header["task"], *study.header["task"]}):  # what is not set may be left out
            before, after = first.header["task"].get(name), study.header["task"].get(name)
            if before != after:
                raise UserError(
                    f"{study.identity}: its task has {name}={after}, that of {first.identity} {name}={before}: such scores "
                    "are never compared.\nMove one of them to another experiment"
                )
        if study.header["stock"] != first.header["stock"]:
            raise UserError(
                f"{study.identity}: begins with another stock (start={study.config.start}, or GPUs of another size) than "
                f"{first.identity}.\n"
                "Move one of them to another experiment"
            )
        if not study.ranked:
            raise UserError(f"{study.identity}: has no scored trial yet; let it run, or move its folder away")
