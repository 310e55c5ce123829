"""A server on loopback that plays every LLM, by what it is asked for. Some replies are broken at first, some stay so.

A reply follows from the question alone, and of it from what is the same in every run: whoever asks again, after a kill say,
hears the same.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field

from search.agent import prompt
from search.agent.chief_prompt import PLAN_FORM, REPORT_FORM
from search.llm.playbook import Playbook
from search.llm.values_prompt import HOW_TO_REPLY
from search.study import source
from tests.servers.llm import Answer, Script
from tests.servers.roles import Roles
from tests.servers.values import BAD

FORMS = {"edit": prompt.INSTRUCTIONS, "plan": PLAN_FORM, "report": REPORT_FORM, "values": HOW_TO_REPLY}
KNOWN = 20  # characters by which a form is known: further on, it holds settings
GREETING = "Reply with OK."
TRIAL = re.compile(r"(?m)^(?:- |\| |Trial )(\d+)(?::| \|)")  # as histories and tables name one
TITLE = re.compile(r"(?m)^# (?!train\.py)(.*)$")
PROGRAM = re.compile(r"(?m)^# train\.py \(trial.*?```python\n(.*?)\n```", re.DOTALL)
NOT_AN_EDIT = (
    Answer("I would rather discuss the schedule first."),
    Answer(""),
    Answer("so " * 2_000, finish_reason="length"),
    Answer("", message={"refusal": "I cannot help with that"}),
    Answer("NOTE: a line that is not there\n\n<<<<<<< SEARCH\nno such line = 1\n=======\nx = 2\n>>>>>>> REPLACE\n"),
)
CONSTANTS = ("MATRIX_LR", "EMBEDDING_LR", "UNEMBEDDING_LR", "WEIGHT_DECAY")
FACTORS = (0.6, 0.8, 1.25, 1.6)  # of one of them
CHARACTERS = 4  # of a token, about


@dataclass
class Cast(Script):
    """`replies`: how many were given, by role. `unknown`: beginnings of questions that no role is asked."""

    replies: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)

    def reply(self, messages: list[dict[str, str]]) -> Answer:
        if messages[-1]["content"] == GREETING:
            return Answer("OK", usage=(3, 1))
        role = role_of(messages)
        if role is None:
            self.unknown.append(messages[0]["content"][:200])
            return Answer(status=400, error="tests/everyone/cast.py plays nobody who is asked this")
        self.replies[role] += 1
        return counted(messages, played(role, messages))


def role_of(messages: list[dict[str, str]]) -> str | None:
    """By the form that a reply is asked for in; None for a question that is not known."""
    return next((role for role, form in FORMS.items() if form[:KNOWN] in messages[0]["content"]), None)


def played(role: str, messages: list[dict[str, str]]) -> Answer:
    """A role's reply. The questions of a study are told apart by its newest trial, repairs by what was said before."""
    asked, repairs = messages[1]["content"], sum("Nothing was trained:" in message["content"] for message in messages[1:])
    number = 1 + max((int(found) for found in TRIAL.findall(asked)), default=0)
    if role == "edit":
        return _edit(asked, number, repairs)
    if role == "values":
        return Answer(_values(number, repairs))
    return Answer(Roles("").complete(messages, number, repairs).text)


def counted(messages: list[dict[str, str]], answer: Answer) -> Answer:
    """With its tokens, by characters."""
    answer.usage = (sum(len(message["content"]) for message in messages) // CHARACTERS, 1 + len(answer.text) // CHARACTERS)
    return answer


def _values(number: int, repairs: int) -> str:
    """In either form, of constants that every space has; as often broken as edits are."""
    draw = random.Random(f"values {number} {repairs}")
    rate = draw.uniform(0.01, 0.05)
    if _is_broken(number, repairs):
        return draw.choice(BAD)
    if number % 2:
        return f"NOTE: drawn\n{json.dumps({'MATRIX_LR': rate, 'DEPTH': draw.randint(1, 2)})}"
    return f"NOTE: drawn\n\n- `WEIGHT_DECAY` = {draw.uniform(0.0, 0.5)}  # smaller\nMATRIX_LR: {rate}"


def _is_broken(number: int, repairs: int) -> bool:
    """Every fourth reply is at first, and every seventh stays so."""
    return number % 7 == 5 or (repairs == 0 and number % 4 == 3)


def _edit(asked: str, number: int, repairs: int) -> Answer:
    """Of the program that is shown: from the playbook in turn with a constant."""
    shown = PROGRAM.findall(asked)[-1]
    draw = random.Random(f"{TITLE.findall(asked)} {number} {repairs} {shown}")
    if _is_broken(number, repairs):
        chosen = draw.choice(NOT_AN_EDIT)
        return Answer(chosen.text, finish_reason=chosen.finish_reason, message=chosen.message)
    expected = f"EXPECT: {-0.001 * draw.randint(1, 20):.3f}\n"
    if number % 2 and repairs == 0:
        return Answer(expected + draw.choice(Playbook("search/llm/playbook.yaml").replies))
    return Answer(expected + _constant(shown, draw))


def _constant(shown: str, draw: random.Random) -> str:
    """One that every program of the repository's has, made smaller or larger."""
    values = source.constants(shown)
    name = draw.choice(
        [name for name in ("MATRIX_LR", "EMBEDDING_LR", "UNEMBEDDING_LR", "WEIGHT_DECAY") if values.get(name)]
    )
    value = float(f"{values[name] * draw.choice(FACTORS):.3g}")
    line = re.findall(rf"(?m)^{name} = .*$", shown)[-1]
    new = line.replace(line.partition(" = ")[2].split("  #")[0], f"{value:g}", 1)
    return f"NOTE: {name} {values[name]} -> {value:g}\n\n<<<<<<< SEARCH\n{line}\n=======\n{new}\n>>>>>>> REPLACE\n"
