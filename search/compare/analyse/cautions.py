"""What a reader should know before believing a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search.compare.analyse import machine
from search.compare.analyse.headline import holm
from search.compare.analyse.results import ALPHA, ConfirmationFacts, Noise, Speed, StudyResult
from search.compare.read.tables import Experiment
from search.compare.show.numbers import Numbers, plural

SAME = (  # parts of a study's record that should be the same in all of them, and what it means where they are not
    ("machine", "ran on different machines, whose speed is part of a score"),
    ("environment", "ran under different versions of libraries"),
    ("sandbox", "ran in different sandboxes"),
)


def cautions_of(
    experiment: Experiment,
    noise: Noise,
    speed: Speed | None,
    confirmation: ConfirmationFacts | None,
    studies: Sequence[StudyResult],
) -> tuple[str, ...]:
    numbers = Numbers(noise)
    return (
        *noise.remarks,
        *_unlike(experiment),
        *_remarks_on_llms(experiment),
        *_drifted(noise, numbers),
        *machine.remarks(experiment, speed),
        *_confirmation(confirmation),
        *_studies(experiment, studies),
    )


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


def _remarks_on_llms(experiment: Experiment) -> Iterator[str]:
    for strategy in experiment.strategies:
        about = experiment.of(strategy)[0].header["config"]["strategy"].get("llm", {}).get("about")
        if about:
            yield f"{strategy}: {about}."


def _drifted(noise: Noise, numbers: Numbers) -> Iterator[str]:
    """Where it is shown, corrected for the number of studies looked at."""
    corrected = holm([drift.p for drift in noise.drift])
    for drift, p in zip(noise.drift, corrected, strict=True):
        if p is not None and p < ALPHA:
            slope = numbers.signed(drift.slope.value)
            yield f"The machine drifted during {drift.study}: the stock's score moved by {slope} per hour."


def _confirmation(confirmation: ConfirmationFacts | None) -> Iterator[str]:
    if confirmation is None:
        return
    if confirmation.looks > 1:
        yield (
            f"The confirmation was planned or extended {confirmation.looks} times ({confirmation.planned} repeats at first, "
            f"now {confirmation.repeats}): claims must hold with p times the number of looks, which is nearly enough."
        )
    if confirmation.unfinished:
        yield f"{plural(confirmation.unfinished, 'planned repeat')} of the confirmation not run yet."
    if confirmation.failed:
        yield f"{plural(len(confirmation.failed), 'repeat')} of the confirmation failed, and do not count: see the list."


def _studies(experiment: Experiment, results: Sequence[StudyResult]) -> Iterator[str]:
    for identity in experiment.empty:
        yield f"{identity} has no finished trial yet, and is left out."
    for study, result in zip(experiment.studies, results, strict=True):
        planned = study.header["config"]["study"]["trials"]
        if planned is not None and result.trials < planned:
            yield f"{study.identity} has {result.trials} of its {planned} trials; it is unfinished."
        if result.confirmed is not None and result.confirmed.better_since is not None:
            yield f"{study.identity} has a better trial ({result.confirmed.better_since}) than the one that was confirmed."
        winner = next((row for row in study.rows if row.number == result.winner), None)
        if winner is not None and "sets_seed" in winner.flags and not study.is_control:
            yield f"The winner of {study.identity} sets a seed itself; confirmation uses other seeds only where it does not."
        if winner is not None and winner.doubts:
            doubts = ", ".join(winner.doubts)
            yield f"The numbers of the winner of {study.identity} stand out ({doubts}): look at its program first."
