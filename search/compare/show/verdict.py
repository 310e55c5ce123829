"""The verdict in plain sentences, made from the numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search.compare.analyse.results import ALPHA, FRESH_SEEDS, Contrast, Estimate, Noise, Speed, StrategyResult
from search.compare.read.tables import Experiment
from search.compare.show.numbers import Numbers, p_value, plural


def verdict_of(
    experiment: Experiment,
    noise: Noise,
    speed: Speed | None,
    strategies: Sequence[StrategyResult],
    contrasts: Sequence[Contrast],
) -> tuple[str, ...]:
    numbers = Numbers(noise)
    controls = {study.strategy for study in experiment.control}
    sentences = [noise_floor(noise, numbers), *noise_by_speed(speed, numbers)]
    for result in strategies:
        if result.strategy not in controls:
            sentences += list(gains(result, numbers))
    sentences += [contrast_in_words(contrast, numbers, contrast.second in controls) for contrast in contrasts]
    return tuple(sentences)


def noise_floor(noise: Noise, numbers: Numbers) -> str:
    control = noise.control
    if control is None or control.sd is None:
        return "The noise floor is unknown, for there is no control: no difference can be held against luck."
    return (
        f"Noise: training runs of the unchanged program differ with a standard deviation of {numbers.plain(control.sd.sd)} "
        f"(95 % interval {numbers.plain(control.sd.low)} to {numbers.plain(control.sd.high)}, {control.trials} trials)."
    )


def noise_by_speed(speed: Speed | None, numbers: Numbers) -> Iterator[str]:
    """What the machine's speed has to do with the noise; nothing where that is not shown."""
    control = next((seen for seen in speed.tokens if seen.repeats == FRESH_SEEDS), None) if speed is not None else None
    if control is not None and control.shown:
        yield (
            f"The machine's speed explains {100 * control.r_squared:.0f} % of this noise's variance: a run that saw 1 % "
            f"fewer tokens scored {numbers.interval(control.slope)} worse."
        )


def gains(result: StrategyResult, numbers: Numbers) -> Iterator[str]:
    """What a strategy claims, and what of it is shown."""
    if result.claimed is None:
        yield f"{result.strategy} has no trial with a score: it claims nothing."
        return
    claim = f"{result.strategy} claims a gain of {numbers.signed(result.claimed.value)}"
    over = f" on average over {plural(result.studies, 'search', 'studies')}"
    if result.gain is None or result.luck is None:
        yield f"{claim}{over}; unconfirmed: how much of it is luck is unknown."
        return
    part = "" if result.confirmed == result.studies else f" ({result.confirmed} of them confirmed, the others unconfirmed)"
    yield (
        f"{claim}{over}{part}. Trained again on fresh seeds, the winners gain {numbers.interval(result.gain)} on text that "
        f"no study has seen; {numbers.signed(result.luck.value)} was luck."
    )
    studies = plural(result.confirmed, "confirmed search", "confirmed studies")
    yield (
        f"{result.strategy}: the gain of {result.shown} of {studies} is shown, each by itself (with no gain anywhere, "
        f"{ALPHA * result.confirmed:.1f} would be by chance alone)."
    )
    if result.tuning is not None and result.code_and_interaction is not None:
        code = f"code and its interaction with the constants {_part(result.code_and_interaction, numbers)}"
        if result.code_and_interaction.by_definition:
            code = "its winners change no code"
        yield f"{result.strategy}: tuning alone gains {_part(result.tuning, numbers)}; {code}."
    if result.overfitting is not None and _above_zero(result.overfitting):
        yield (
            f"{result.strategy} overfitted the validation text: there its gain is larger by "
            f"{numbers.interval(result.overfitting)} than on unseen text."
        )


def contrast_in_words(contrast: Contrast, numbers: Numbers, against_control: bool) -> str:
    first, second = contrast.first, "the unchanged program" if against_control else contrast.second
    if contrast.verdict == "not stated" or contrast.advantage is None:
        what = "; ".join(missing.what for missing in contrast.missing)
        return f"{first} against {second}: not stated, for this is missing: {what}."
    if contrast.verdict == "reverse shown":
        return f"{first} is worse than {second}: shown. {_numbers(contrast, contrast.p_reverse_holm, numbers)}"
    if contrast.verdict == "shown":
        return f"{first} is better than {second}: shown. {_numbers(contrast, contrast.p_holm, numbers)}"
    return (
        f"{first} better than {second}: not shown. {_numbers(contrast, contrast.p_holm, numbers)}"
        f"{_settled(contrast, numbers)}"
    )


def _numbers(contrast: Contrast, p: float | None, numbers: Numbers) -> str:
    assert contrast.advantage is not None
    p_words = "" if p is None else f"{p_value(p)} after Holm's correction, "
    looks = "" if contrast.looks == 1 else f"{contrast.looks} looks, "
    return (
        f"Advantage {numbers.interval(contrast.advantage)}; {p_words}{looks}"
        f"{plural(len(contrast.pairs), 'search', 'studies')}, {contrast.method}."
    )


def _settled(contrast: Contrast, numbers: Numbers) -> str:
    """What would settle an open contrast."""
    needed = contrast.needed
    if needed is None:
        return ""
    ways = []
    if needed.studies is not None and needed.studies > len(contrast.pairs):
        ways.append(f"{needed.studies} studies each")
    if needed.repeats is not None:
        ways.append(f"{needed.repeats} confirmation repeats")
    detectable = "" if needed.detectable is None else f" As it is, {numbers.plain(needed.detectable)} would be seen in 80 %."
    if not ways:
        return detectable
    return f" Were that the true difference, {' or '.join(ways)} would settle it (power 80 %).{detectable}"


def _part(part: Estimate, numbers: Numbers) -> str:
    if part.low is None or part.by_definition:
        return numbers.interval(part)
    return f"{numbers.interval(part)}, {'shown' if _above_zero(part) else 'not shown'}"


def _above_zero(part: Estimate) -> bool:
    return part.low is not None and part.low > 0
