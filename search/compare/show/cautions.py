"""Cautions: what a reader should know before believing a comparison, besides what the verdict says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from search.compare.analyse import minima
from search.compare.analyse.finding import Name, Scope
from search.compare.analyse.machine import in_tokens
from search.compare.read.tables import Experiment, TrialRow
from search.compare.show.view import View, joined
from search.page.numbers import plural
from search.page.text import short
from search.study.reads import sources_of
from search.study.trial import Status

MOST_NAMED = 3

SAME = (  # parts of a record that should be the same in all studies, and what it means if they are not
    ("machine", "ran on different machines, whose speed is part of a score"),
    ("environment", "ran under different versions of libraries"),
    ("sandbox", "ran in different sandboxes"),
)


def cautions_of(experiment: Experiment, view: View) -> tuple[str, ...]:
    found = (*_disqualified(view), *_control(view), *_unlike(experiment), *_machine(experiment, view))
    found = (*found, *_slower(view), *_confirmation(view))
    return tuple(short(caution) for caution in (*found, *_studies(experiment, view)))


def _disqualified(view: View) -> Iterator[str]:
    cheats = [one for one in view.analysis.failed if one.status == Status.DISQUALIFIED]
    for one in cheats[:MOST_NAMED]:
        yield f"Trial {one.trial} of {view.name(one.study)} was disqualified: {one.reason or 'without a reason'}"
    if len(cheats) > MOST_NAMED:
        yield f"{plural(len(cheats) - MOST_NAMED, 'more trial')} were disqualified, as the details list."


def _slower(view: View) -> Iterator[str]:
    """Winners that train slowly, which a budget in tokens does not charge for."""
    for one in view.analysis.of(Scope.PROGRAM, Name.SPEED) if in_tokens(view.analysis.task_facts) else ():
        if one.estimate is not None and one.estimate.high is not None and one.estimate.high < 1:
            who, speed = view.name(one.subject), f"{one.estimate.value:.3f} x the stock's speed"
            free = "With a budget in tokens that costs nothing; under a time limit it may"
            yield f"The winner of {who} trains at {speed}. {free}."


def _control(view: View) -> Iterator[str]:
    noise = view.analysis.noise
    if 0 < noise.trials < minima.CONTROL:
        yield f"The control has {plural(noise.trials, 'score')}; below {minima.CONTROL} its spread says little."
    if noise.failures:
        yield f"{plural(noise.failures, 'trial')} of the control failed, although it trains the unchanged program."


def _unlike(experiment: Experiment) -> Iterator[str]:
    for key, what in SAME:
        kinds = {str(study.header[key]) for study in experiment.studies}
        if len(kinds) > 1:
            yield f"Studies {what}: {'; '.join(sorted(kinds))}."
    for name in sorted({study.name for study in experiment.studies}):  # the hash is of the strategy's own module too
        if len({study.header["harness"] for study in experiment.studies if study.name == name}) > 1:
            yield f"Studies of {name} ran under different versions of this program."
    if any(study.header["sandbox"] == "none" for study in experiment.studies):
        yield "Some studies ran without a sandbox: their programs could read the scored text."
    for study in experiment.studies:
        if read := sorted(sources_of(study.header) - {study.identity}):
            yield f"{study.identity} has read what {joined(read)} found, so it is not independent of it."
    for strategy in experiment.strategies:
        first = experiment.of(strategy)[0]
        if first.about and not first.is_without_llm:  # which the verdict begins with
            yield f"{strategy}: {first.about}."


def _machine(experiment: Experiment, view: View) -> Iterator[str]:
    moves = [move.what for move in view.analysis.machine.moves]  # which the verdict begins with
    for drift in view.analysis.of(Scope.MACHINE, Name.DRIFT):
        told = any(what.endswith(f"hours of {drift.subject}") for what in moves)
        if drift.shown and not told and drift.estimate is not None:
            yield f"The machine drifted in {drift.subject}: per hour the stock got {view.moved(drift.estimate.value)}."
    models: dict[str, list[str]] = defaultdict(list)
    for name, rows in _groups(experiment):
        for model in {row.model for row in rows if row.model is not None}:
            models[model].append(view.name(name))
    if len(models) > 1:
        where = "; ".join(f"{model}: {names[0]} and {len(names) - 1} more" for model, names in sorted(models.items()))
        yield f"Trials ran on different models of device, whose speed is part of a score ({where})."
    for words, seen, recorded in view.analysis.machine.held_back:
        yield f"{seen} of {plural(recorded, 'trial')} ran {words}."


def _groups(experiment: Experiment) -> Iterator[tuple[str, Sequence[TrialRow]]]:
    yield from ((study.identity, study.rows) for study in experiment.studies)
    yield "the confirmation", experiment.confirmation.rows


def _confirmation(view: View) -> Iterator[str]:
    facts = view.analysis.confirmation
    if facts is not None and facts.failed:
        yield (
            f"{plural(len(facts.failed), 'run')} of the confirmation failed, as the details list. Where a program failed "
            "and the stock beside it did not, that counts as a result."
        )


def _studies(experiment: Experiment, view: View) -> Iterator[str]:
    for identity in experiment.empty:
        yield f"{identity} has no finished trial yet, and is left out."
    if experiment.imported:
        logs = joined([*map(short, experiment.imported)])
        yield f"These imported logs are left out, because other programs scored them: {logs}."
    for study in experiment.studies:
        facts, name = view.facts[study.identity], view.name(study.identity)
        planned = study.header["config"]["study"]["trials"]
        if planned is not None and facts.trials < planned:
            yield f"{name} has {facts.trials} of its {planned} trials; it is unfinished."
        for other in study.header.get("accepted", ()):
            files = joined(other["files"])
            yield f"{name} continued under other code ({other['hash']}) from trial {other['trial']} on: {files} had changed."
        if facts.better_since is not None:
            yield f"{name} has a later winner (trial {facts.better_since}) than the one that was confirmed."
        winner = next((row for row in study.rows if row.number == facts.winner), None)
        if winner is None or study.is_control:
            continue
        if "sets_seed" in winner.flags:
            yield f"The winner of {name} sets a seed itself, so the fresh seeds of the confirmation may not reach it."
        if winner.doubts:
            yield f"The winner of {name} has unusual numbers ({joined(winner.doubts)}): look at its program first."
