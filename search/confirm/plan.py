"""Plans what a confirmation trains: arms, which are programs, and the studies that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from search.config.messages import NothingToDo, UserError
from search.confirm.settings import Settings
from search.confirm.steps import steps_of
from search.confirm.studies import StudyRecord, text_of
from search.study import source
from search.study.journal import Entry

STOCK = "stock"  # the arm of that name
REPORT, SCREENING = "report", "screening"  # stages: runs that are reported, and runs that only choose among candidates
SCREENING_REPEATS = 3


@dataclass
class Arms:
    """Programs by name. Two names never stand for the same program."""

    texts: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)  # by the program's hash

    def add(self, name: str, text: str) -> str:
        """Adds a program. Returns the name under which it is trained: the given one, unless it has one already."""
        digest = source.program_hash(text)
        if digest not in self._names:
            # A study that was removed and run anew has other programs under the same numbers.
            self._names[digest] = f"{name} ({digest[:8]})" if name in self.texts else name
            self.texts[self._names[digest]] = text
        return self._names[digest]

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """Returns the hashes of the named programs, in the order in which they were added."""
        wanted = set(names)
        return {name: digest for digest, name in self._names.items() if name in wanted}


@dataclass(frozen=True)
class Plan:
    """One stage: which arms are trained, how often, and what they say of each study. `arms`: name -> the program's hash.
    `studies`: by identity, as `report` and `screening` make them."""

    stage: str
    settings: Settings
    arms: dict[str, str]
    studies: dict[str, dict[str, Any]]

    @property
    def repeats(self) -> int:
        return SCREENING_REPEATS if self.stage == SCREENING else self.settings.repeats

    def record(self) -> dict[str, Any]:
        """Returns the plan as JSON values, for the journal and for the comparison."""
        return {"stage": self.stage, **asdict(self.settings), "arms": self.arms, "studies": self.studies}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Plan:
        """Reads a plan. Raises KeyError if another version wrote it."""
        # What was planned before there was ablation has none.
        settings = Settings(**{item.name: record[item.name] for item in fields(Settings) if item.name != "ablate"})
        settings = replace(settings, ablate=record.get("ablate", False))
        return cls(record["stage"], settings, record["arms"], record["studies"])

    def arms_of_seeds(self) -> dict[int, set[str]]:
        """Returns what is trained for each search seed, without the stock, which the report always trains."""
        found: dict[int, set[str]] = {}
        for study in self.studies.values():
            arms = _screened(study) if self.stage == SCREENING else _reported(study)
            if arms:
                found.setdefault(study["search_seed"], set()).update(arms)
        return found


def screening(studies: Sequence[StudyRecord], arms: Arms, settings: Settings) -> Plan:
    """Plans to compare the best `top` programs of each study that has several, with seeds that are not reported."""
    chosen = {study.identity: _finalists(study, arms, settings.top) for study in studies}
    planned = {
        study.identity: {"search_seed": study.config.seed, "screened": chosen[study.identity]}
        for study in studies
        if len(chosen[study.identity]) > 1
    }
    names = {arm for study in planned.values() for arm in _screened(study)}
    return Plan(SCREENING, settings, arms.hashes(names), planned)


def report(
    studies: Sequence[StudyRecord], arms: Arms, settings: Settings, screened: Mapping[tuple[int, str], float]
) -> Plan:
    """Plans the stock, each study's winner, its constants alone, the winner without each of its steps if that is asked for,
    and the winners as of smaller budgets. `screened`: mean scores of the screening by search seed and arm. If it is empty,
    the study's own winner stays."""
    arms.add(STOCK, studies[0].stock)
    planned: dict[str, dict[str, Any]] = {}
    for study in studies:
        candidates, seed = study.finalists(settings.top), study.config.seed
        named = [_named(entry, study, arms) for entry in candidates]
        order = sorted(range(len(named)), key=lambda at: screened.get((seed, named[at]["arm"]), float("inf")))
        planned[study.identity] = {
            "search_seed": seed,
            "winner": named[order[0]],
            **_constants(candidates[order[0]], study, arms),
            "screened": named if settings.top > 1 else [],
            "at": _earlier(study, arms, settings.at),
            **({"steps": _steps(candidates[order[0]], study, arms)} if settings.ablate else {}),
        }
    names = {STOCK}.union(*(_reported(study) for study in planned.values()))
    return Plan(REPORT, settings, arms.hashes(names), planned)


def check_budgets(studies: Sequence[StudyRecord], budgets: Sequence[int]) -> None:
    """Raises UserError if no study exceeds a budget, which could then bring no other winner."""
    longest = max((study.trials for study in studies if not study.is_control), default=0)
    for budget in budgets:
        if budget >= longest:
            raise UserError(
                f"at={budget}: no study has more trials than that (apart from the control, the longest has {longest}), and "
                "final winners are confirmed anyway.\nGive smaller budgets, or leave at= out"
            )


def check_worthwhile(studies: Sequence[StudyRecord], settings: Settings) -> None:
    """Raises NothingToDo if only the stock would be trained."""
    drafted = Arms()
    drafted.add(STOCK, studies[0].stock)
    screening(studies, drafted, settings)
    report(studies, drafted, settings, {})
    if set(drafted.texts) == {STOCK}:
        raise NothingToDo(
            "every winner is the stock itself, so there is no gain to confirm.\n"
            "Give the studies more trials (study.trials=), or run other strategies in the same experiment="
        )


def _reported(study: Mapping[str, Any]) -> set[str]:
    """Returns the arms that stand for a study, without the stock."""
    early, steps = study["at"].values(), study.get("steps", ())  # only where they are asked for
    arms = {study["winner"]["arm"], study["constants"], *(entry["arm"] for entry in (*early, *steps))}
    return {arm for arm in arms if arm not in (None, STOCK)}


def _screened(study: Mapping[str, Any]) -> set[str]:
    return {entry["arm"] for entry in study["screened"]}


def _finalists(study: StudyRecord, arms: Arms, top: int) -> list[dict[str, Any]]:
    return [_named(entry, study, arms) for entry in study.finalists(top)]


def _named(entry: Entry, study: StudyRecord, arms: Arms) -> dict[str, Any]:
    return {"trial": entry.number, "arm": arms.add(f"{study.label}, trial {entry.number}", text_of(entry))}


def _earlier(study: StudyRecord, arms: Arms, budgets: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Returns the winners as of budgets that the study exceeds."""
    winners = {str(budget): study.at(budget) for budget in budgets if budget < study.trials}
    return {budget: _named(winner, study, arms) for budget, winner in winners.items() if winner is not None}


def _steps(winner: Entry, study: StudyRecord, arms: Arms) -> list[dict[str, Any]]:
    """Returns the winner without each of its steps. A step that cannot be taken back has no arm."""
    planned = []
    for step in steps_of(study.entries, winner):
        name = f"{study.label}, trial {winner.number}, without trial {step.trial}'s step"
        arm = None if step.text is None else arms.add(name, step.text)
        planned.append({"trial": step.trial, "note": step.note, "arm": arm, "why": step.why})
    return planned


def _constants(winner: Entry, study: StudyRecord, arms: Arms) -> dict[str, Any]:
    """Returns the arm of the winner's constants alone in the stock's code, and the constants that cannot be carried over."""
    text = text_of(winner)
    change = source.change(study.stock, text)
    moved = sorted(set(source.constants(study.stock)) ^ set(source.constants(text)))
    if change.kind in ("none", "constants"):
        return {"constants": None, "left_in_code": moved}
    carried = {name: after for name, (_, after) in change.constants.items()}
    alone = source.set_constants(study.stock, carried)
    name = f"{study.label}, trial {winner.number}, its constants alone"
    return {"constants": arms.add(name, alone), "left_in_code": moved}
