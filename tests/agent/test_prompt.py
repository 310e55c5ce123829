"""What the agent's prompt says, how large it gets, and what a proposal may build on."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from search.agent import prompt
from search.agent.follow import on_offer
from search.agent.keep_rules import Program
from search.agent.measured import failure, reading
from search.agent.modes import Mode, next_mode
from search.config.places import ROOT
from search.config.schema import StudyConfig
from search.runner.stock import stock_of
from search.runner.task_api import task_api
from search.strategy import Candidate, Origin, Outcome, Status, Trial, Verdict
from search.study.budget import trials_left
from search.testing.subject import task_config
from tests.agent.histories import RELU, memory
from tests.prompts import PAGE, page

LITTLE = f"MATRIX_LR = 0.013\nASPECT_RATIO = 64\ndown({RELU})\noutput(mixed.reshape(batch, length, width))\n"
# Of time as a budget, or of speed. "One at a time" and "the next time" are neither.
CLOCK = re.compile(
    r"wall.?clock|\bclock\b|seconds|per second|tokens/s|minutes|hours|\bspeed|\bfast|\bslow|\bquick"
    r"|(?<!a )(?<!next )\btime\b",
    re.IGNORECASE,
)
PROGRAMS = re.compile(r"^```(?:python|diff)$.*?^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def stock():
    return stock_of(task_config()).text


def text_of(known, offer=None):
    return prompt.compose("Do well.", known, next_mode(known), offer)[1]["content"]


def cut(known, count):
    """What was known after so many trials."""
    history, kept = known.history[:count], tuple(number for number in known.kept if number < count)
    last = known.trials[kept[-1]]
    return replace(
        known, history=history, kept=kept, incumbent=Program(last.number, last.candidate.source, {0: last.val_bpb})
    )


def test_a_prompt_stays_bounded():
    sizes = {count: len(text_of(memory(count, LITTLE, notes="x" * 2000))) for count in (20, 100, 250)}
    assert sizes[250] < 1.05 * sizes[100] and sizes[250] < 26_000


def test_a_prompt_says_what_was_measured(stock):
    known = memory(6, stock, study=StudyConfig(trials=26), notes="try 0.02")
    text = text_of(known, on_offer(known, 1))
    for said in (
        "python: Python source code",
        "6,200,000 training tokens, of which a training run reads 19.4 %",
        "20 are left with this one",
        "1,171 steps, 1,200,000 tokens at 48,000 per second; 0.33 M parameters; 343 MB; training loss",
        "at 25/50/75/100 % of the budget",
        "it learns more from a token and loses by being slow",
        "it learns less from a token",
        "crashed in its warm-up steps: RuntimeError: The size",
        "Hypothesis: trial 1 is limited here",
        "You expected -0.0120",
        "- 5: 2.5380 (+0.0900 against 1) SiLU in the place of squared ReLU",
        "+        return self.down(F.silu(self.up(x)) * 1.004)",
        "try 0.02",
        known.incumbent.source.strip(),
    ):
        assert said in text, said


def test_under_a_budget_of_tokens_nothing_speaks_of_time_as_what_counts(stock):
    known = memory(6, stock, seconds=False)
    program = (ROOT / "program.md").read_text(encoding="utf-8")
    for mode in Mode:
        said = "\n".join(message["content"] for message in prompt.compose(program, known, mode, on_offer(known, 1)))
        text = PROGRAMS.sub("", said).replace(known.task.limits, "").replace(known.task.api, "")
        assert not CLOCK.findall(text) and "Only tokens are counted" in text
    assert CLOCK.search(text_of(memory(6, stock)))


def test_the_page_that_shows_the_prompt_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.prompts"


def test_scoring_output_is_never_told():
    known = memory(1, LITTLE)
    out = Outcome(Status.DISQUALIFIED, reason="it answers secret", log_tail="secret", tokens=5, seconds={"start": 1.0})
    failed = Trial(1, Origin.STRATEGY, Candidate(LITTLE + "A = 1\n", parent=0, note="look"), out)
    known = replace(known, history=[*known.history, failed], verdicts={**known.verdicts, 1: Verdict(False, "no score")})
    assert "secret" not in text_of(known)


def test_the_api_of_the_task_is_what_it_is():
    lines = task_api().splitlines()
    assert len(lines) <= 12
    for name in (
        "task.join(",
        "task.choose_attention(",
        "run.start(build",
        "run.batches(rows",
        "run.report(",
        "run.submit(",
    ):
        assert any(line.startswith(f"- {name}") for line in lines), name


@pytest.mark.parametrize(
    ("phases", "steps", "said"),
    [
        (("start",), 0, "importing train.py"),
        (("start", "import"), 0, "building the trainer"),
        (("start", "import", "build"), 0, "its warm-up steps"),
        (("start", "import", "build", "compile", "data"), 0, "training, in its first step"),
        (("start", "import", "build", "compile", "data", "train"), 7, "training, after 7 steps"),
    ],
)
def test_a_failure_is_told_with_its_phase(phases, steps, said):
    out = Outcome(Status.CRASHED, reason="ValueError: x", seconds=dict.fromkeys(phases, 1.0), steps=steps, tokens=64 * steps)
    assert failure(Trial(1, Origin.STRATEGY, Candidate(LITTLE), out)) == f"crashed in {said}: ValueError: x"


def test_what_made_the_difference_is_not_said_where_it_was_measured_on_nothing():
    known = memory(4, LITTLE)
    trial = known.trials[3]
    assert "slow" in reading(trial, known) and not reading(replace(trial, outcome=replace(trial.outcome, losses=())), known)


def test_the_last_idea_of_the_code_that_failed_narrowly_is_on_offer_once():
    whole = memory(6, LITTLE)
    offers = {count: on_offer(cut(whole, count), 1) for count in range(1, 7)}
    assert {count: offer and offer.number for count, offer in offers.items()} == {1: None, 2: None, 3: 2, 4: 2, 5: 4, 6: 4}
    known = memory(5, LITTLE)
    assert on_offer(known, 0) is None
    followed = Candidate("# again\n" + known.trials[4].candidate.source, parent=4)
    assert on_offer(replace(known, pending={5: followed}), 1) is None
    lost = Trial(5, Origin.STRATEGY, followed, Outcome(Status.CRASHED, reason="x"))
    after = replace(known, history=[*known.history, lost], verdicts={**known.verdicts, 5: Verdict(False, "x")})
    assert on_offer(after, 1) is None


def test_modes_follow_what_has_happened_and_what_is_left():
    whole = memory(60, LITTLE)

    def modes(counts, trials):
        task = replace(whole.task, study=StudyConfig(trials=trials))
        return [next_mode(replace(cut(whole, count), task=task)) for count in counts]

    early = modes(range(1, 60), 1000)
    assert early[0] is Mode.STRUCTURE and set(early) == {Mode.STRUCTURE, Mode.TUNE, Mode.FREE}
    assert set(modes(range(45, 52), 52)) == {Mode.TUNE, Mode.COMBINE, Mode.SIMPLIFY}
    kept = replace(cut(whole, 5), kept=(0, 1, 4), incumbent=Program(4, whole.trials[4].candidate.source, {0: 2.4}))
    assert next_mode(kept) is Mode.TUNE  # a new structure runs on old constants


@pytest.mark.parametrize(
    ("limits", "left"),
    [(StudyConfig(trials=10), 4), (StudyConfig(train_hours=0.0694), 4), (StudyConfig(), None), (StudyConfig(trials=2), 1)],
)
def test_trials_left_are_counted_from_what_was_spent(limits, left):
    history = [replace(trial, outcome=replace(trial.outcome, train_seconds=25.0)) for trial in memory(6, LITTLE).history]
    assert trials_left(limits, history, 0) == left
