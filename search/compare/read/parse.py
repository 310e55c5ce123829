"""Turns the published record into tables, and refuses what must not be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from search.compare.read.tables import (
    Arm,
    ConfirmationPlan,
    ConfirmationTable,
    Experiment,
    Planned,
    Step,
    StudyTable,
    TrialRow,
)
from search.config.messages import UserError, command
from search.study import facts
from search.study.identity import flat

Json = Mapping[str, Any]

NO_COST: Json = {"usd": None, "seconds": 0.0, "calls": 0}


def study_table(header: Json, rows: Sequence[Json]) -> StudyTable:
    """Returns a study's table. Raises UserError if a row or the header lacks what this version records."""
    try:
        config = header["config"]
        return StudyTable(
            identity=header["identity"],
            strategy=header["strategy"],
            name=config["strategy"]["name"],
            role=config["strategy"]["role"],
            search_seed=config["seed"],
            overrides=tuple(header["overrides"]),
            header=dict(header),
            rows=tuple(trial_row(row) for row in rows),
        )
    except KeyError as error:
        raise _other_version(header, error) from error


def confirmation_table(header: Json, rows: Sequence[Json], plans: Sequence[Json]) -> ConfirmationTable:
    """Returns the confirmation's table. Raises UserError if a row, the header or a plan lacks what this version records."""
    try:
        return ConfirmationTable(_looks([_plan(plan) for plan in plans]), tuple(trial_row(row) for row in rows))
    except KeyError as error:
        raise _other_version(header, error) from error


def trial_row(row: Json) -> TrialRow:
    """Returns one row of a table. Raises KeyError if a column is missing."""
    cost = row["cost"] or NO_COST
    return TrialRow(
        **{name: row[name] for name in _COPIED},
        flags=tuple(row["flags"]),
        doubts=tuple(row["doubts"]),
        constants=row["constants"] or {},
        constants_before=row["constants_before"] or {},
        arm=row["facts"].get("arm"),
        stage=row["facts"].get("stage"),
        search_seed=facts.whole(row["facts"].get("search_seed")),
        repeat=facts.whole(row["facts"].get("repeat")),
        visit=facts.whole(row["facts"].get("visit")),
        asked_llm=row["cost"] is not None and not cost.get("tokens_in") == cost.get("tokens_out") == 0,
        usd=cost["usd"],
        llm_seconds=cost["seconds"],
        llm_calls=cost["calls"],
        touched=row.get("touched"),
        code=row.get("code"),
        expected=facts.expected(row["facts"]),
        repeats=facts.repeats(row.get("repeats"), row["facts"]),
    )


def experiment(
    name: str,
    studies: Iterable[tuple[Json, Sequence[Json]]],
    confirmations: Sequence[tuple[Json, Sequence[Json], Sequence[Json]]],
) -> Experiment:
    """Makes an experiment from headers and rows, and from a confirmation's plans. Raises UserError if they must not be
    compared."""
    tables = [study_table(header, rows) for header, rows in studies]
    headers = [table.header for table in tables] + [header for header, _, _ in confirmations]
    if not tables:
        raise UserError(
            f"experiment={name}: has no study with a finished trial; run one, such as "
            + command("search", "strategy=seeds", f"experiment={name}")
        )
    _refuse_others(name, headers)
    _refuse_twins(name, tables)
    if len(confirmations) > 1:
        raise UserError(f"experiment={name}: has two confirmations of one task; delete one of them in MLflow")
    return Experiment(
        name=name,
        task=headers[0]["config"]["task"]["name"],
        task_facts=headers[0]["task"],
        task_fingerprint=headers[0]["task_fingerprint"],
        studies=tuple(sorted(tables, key=lambda table: table.identity)),
        confirmation=confirmation_table(*confirmations[0]) if confirmations else ConfirmationTable(),
    )


_BLOCK = ("arm", "stage", "search_seed", "repeat", "visit")
_BEHAVIOR = ("touched", "code", "expected", "repeats")  # which the first records lack
_OF_A_REPLY = ("asked_llm", "usd", "llm_seconds", "llm_calls")
_MADE = (*_BLOCK, *_BEHAVIOR, *_OF_A_REPLY, "flags", "doubts", "constants", "constants_before")
_COPIED = tuple(item.name for item in fields(TrialRow) if item.name not in _MADE)


def _plan(plan: Json) -> ConfirmationPlan:
    return ConfirmationPlan(
        **{name: plan[name] for name in ("repeats", "top", "looks", "stock_runs")},
        at=tuple(plan["at"]),
        studies={identity: _planned(study) for identity, study in plan["studies"].items()},
    )


def _looks(plans: Sequence[ConfirmationPlan]) -> tuple[ConfirmationPlan, ...]:
    """Returns the plans that are looks. A plan that only adds steps replaces the plan before it, and is not a look."""
    found: list[ConfirmationPlan] = []
    for plan in plans:
        if found and _without_steps(found[-1]) == _without_steps(plan):
            found.pop()
        found.append(plan)
    return tuple(found)


def _without_steps(plan: ConfirmationPlan) -> ConfirmationPlan:
    return replace(plan, studies={name: replace(study, steps=()) for name, study in plan.studies.items()})


def _planned(study: Json) -> Planned:
    return Planned(
        search_seed=study["search_seed"],
        winner=_arm(study["winner"]),
        constants=study["constants"],
        left_in_code=tuple(study["left_in_code"]),
        screened=tuple(_arm(entry) for entry in study["screened"]),
        at={int(trials): _arm(entry) for trials, entry in study["at"].items()},
        steps=tuple(Step(**step) for step in study.get("steps", ())),
    )


def _arm(entry: Json) -> Arm:
    return Arm(entry["trial"], entry["arm"])


def _other_version(header: Json, error: KeyError) -> UserError:
    study = header.get("identity", "a study")
    return UserError(f"{study}: its record lacks {error}, since another version wrote it; use that version to compare it")


def _refuse_others(name: str, headers: Sequence[Json]) -> None:
    """Raises UserError if studies are of different tasks, or start from different programs."""
    first = headers[0]
    for other in headers[1:]:
        which = f"experiment={name}: {first['identity']} and {other['identity']}"
        if other["task_fingerprint"] != first["task_fingerprint"]:
            ours, theirs = flat(first["task"]), flat(other["task"])
            fields = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
            differ = "; ".join(f"{key}: {ours.get(key)} and {theirs.get(key)}" for key in fields)
            raise UserError(
                f"{which} are different tasks ({differ}), which are never compared.\n"
                "Choose one with task=NAME, or give each its own experiment="
            )
        if other["stock"] != first["stock"]:
            raise UserError(
                f"{which} start from different programs (start=, task.constants, or other GPUs), so their gains cannot be "
                "compared.\nGive each its own experiment="
            )


def _refuse_twins(name: str, tables: Sequence[StudyTable]) -> None:
    identity, count = Counter(table.identity for table in tables).most_common(1)[0]
    if count > 1:
        raise UserError(f"experiment={name}: {identity} is in MLflow twice; delete one of the two runs there")
