"""The prompts for a plan and for a report. Their size is bounded, however long the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from search.agent import history, prompt
from search.agent.memory import Memory
from search.agent.modes import Mode
from search.config.messages import many

if TYPE_CHECKING:
    from search.agent.chief import Direction

REPORTS = 12  # directions whose reports are told whole; of older ones, what they came to in a line, for the last
OLDER = 40

ROLE = "You are the chief scientist of a study that improves one program, train.py, by experiments. A harness trains and \
scores each edit; val_bpb is bits per byte of validation text, and lower is better."
PLAN_FORM = """\
Plan what to try next: 1 to {most} directions, each a hypothesis that 1 to {longest} trials can test. Others carry them \
out, one edit of train.py per trial; they see the program, the results, and only the direction of your plan that they \
work on. Prefer directions of different kinds, from which you expect more than noise. Do not plan again what a report rules \
out. Reply in plain text, with these four lines for each direction:

DIRECTION: what to do, in a few words
HYPOTHESIS: why it should lower val_bpb, what to change where, and what would refute it
EXPECT: the change of val_bpb that you expect from the direction as a whole, such as -0.010
TRIALS: how many trials it gets, 1 to {longest}"""
REPORT_FORM = """\
A direction of your plan has ended. Write a short report for whoever plans next. Ignore differences that may be noise. \
Reply in plain text with these three parts, each of at most 400 characters:

TRIED: what was tried, and what was measured
LEARNED: what follows for the hypothesis, and for other ideas
AVOID: what should not be tried again, and why; "nothing" if nothing is ruled out"""
UNSHARED = ("Your notebook", "This proposal")  # sections for who writes the edits


def plan(program: str, memory: Memory, directions: Sequence[Direction], most: int, longest: int) -> list[dict[str, str]]:
    """The messages that ask for a plan. `program`: the human's program.md. `most`, `longest`: as in `Chief`."""
    shared = prompt.sections(program, memory, Mode.FREE, None)
    sections = {title: text for title, text in shared.items() if title not in UNSHARED}
    sections["Directions so far, with your reports"] = reports(directions, memory)
    sections["This plan"] = _standing(memory, directions)
    return _messages(f"{ROLE}\n\n{PLAN_FORM.format(most=most, longest=longest)}", sections)


def report(memory: Memory, direction: Direction) -> list[dict[str, str]]:
    """The messages that ask for a report on a direction whose trials have all ended."""
    shared = prompt.sections("", memory, Mode.FREE, None)
    sections = {
        "Task": shared["Task"],
        "The direction": described(direction),
        "Its trials": history.in_full(direction.told, memory),
        "The current program": history.current(memory),
    }
    return _messages(f"{ROLE}\n\n{REPORT_FORM}", sections)


def task_of(direction: Direction, number: int) -> str:
    """What the LLM that writes the edit for trial `number` is told about the plan."""
    place = direction.asked.index(number) + 1
    before = ", ".join(str(trial) for trial in direction.asked[: place - 1])
    earlier = f" Its earlier trials: {before}; build on what they showed." if before else ""
    return (
        f"{described(direction)}\n\nThis is trial {place} of the {direction.plan.trials} of this direction.{earlier} "
        "Propose an edit that tests it, and nothing else."
    )


def described(direction: Direction) -> str:
    planned = direction.plan
    return (
        f"Direction {direction.number}: {planned.title}\nHypothesis: {planned.hypothesis}\n"
        f"Expected of it: {planned.expected:+.4f}"
    )


def in_a_line(direction: Direction) -> str:
    planned = direction.plan
    return f"{direction.number}: {planned.title} (expected {planned.expected:+.4f}, {many(planned.trials, 'trial')})"


def in_full(direction: Direction, memory: Memory) -> str:
    """The results of a direction, and what its report says."""
    return f"{in_a_line(direction)}: {result(direction, memory)}"


def result(direction: Direction, memory: Memory) -> str:
    """The same without its name."""
    said = f"No report ({direction.problem})." if direction.report is None else str(direction.report)
    return f"{measured(direction, memory)}. {said}"


def measured(direction: Direction, memory: Memory) -> str:
    """The best of its edits against the program that it edited, and what was kept."""
    gains = [gain for trial in direction.told if (gain := memory.gain(trial)) is not None]
    kept = [str(trial.number) for trial in direction.told if trial.number in memory.kept]
    best = f"best {min(gains):+.4f}" if gains else "no score"
    return f"{best} in {many(len(direction.told), 'trial')}, kept: {', '.join(kept) or 'none'}"


def reports(directions: Sequence[Direction], memory: Memory) -> str:
    """The newest reports whole, older ones in a line each, and what is still under way."""
    ended = [direction for direction in directions if direction.report is not None or direction.problem]
    older, newest = ended[:-REPORTS][-OLDER:], ended[-REPORTS:]
    lines = [f"- {in_a_line(direction)}: {measured(direction, memory)}" for direction in older]
    lines += [f"- {in_full(direction, memory)}" for direction in newest]
    under_way = [direction for direction in directions if direction not in ended]
    lines += [f"- {in_a_line(direction)}: still being tried" for direction in under_way]
    return "\n".join(lines)


def _standing(memory: Memory, directions: Sequence[Direction]) -> str:
    left = memory.left
    lines = [
        f"{many(len(memory.history) - 1, 'trial')} ended since the stock"
        + ("." if left is None else f", and about {left} are left."),
        f"Current: {history.current(memory)}",
        history.estimates(memory),
    ]
    return "\n\n".join(line for line in lines if line)


def _messages(instructions: str, sections: Mapping[str, str]) -> list[dict[str, str]]:
    body = "\n\n".join(f"# {title}\n\n{text}" for title, text in sections.items() if text)
    return [{"role": "system", "content": instructions}, {"role": "user", "content": body}]
