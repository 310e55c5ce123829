"""In the place of the LLMs of a planner: each role is played with canned, partly broken replies."""

from __future__ import annotations

import random

from search.agent.chief_prompt import PLAN_FORM, REPORT_FORM
from search.llm.reply import Messages, Reply

BROKEN_PLANS = (
    "I would rather not.",
    "DIRECTION: wider\nHYPOTHESIS: more room\nEXPECT: better\nTRIALS: many",
    '{"directions": [{"direction": "wider", "hypothesis": "", "expect": 0.1, "trials": 99}]}',
    "",
)
PLAN = """Let me think.

**DIRECTION 1:** step sizes ({ask})
**HYPOTHESIS:** the matrices take steps
that are too small
**EXPECT:** \N{MINUS SIGN}0.010
**TRIALS:** 2

**DIRECTION 2:** decay ({ask})
**HYPOTHESIS:** weights grow
**EXPECT:** -0.005 or so
**TRIALS:** 1
"""
JSON = """```json
{{"directions": [{{"direction": "decay ({ask})", "hypothesis": "weights grow", "expect": -0.01, "trials": 3}}]}}
```"""
REPORT = "TRIED: two sizes\n\n**LEARNED:** larger\nis better\n\nAVOID: smaller ones"


# Makes a program of constants that their edits apply to.
SHORT = """

def build_model(vocab_size, sequence_length):
    return None


def main():
    return None
"""


class Roles:
    """Every fifth question is answered badly at first, and some stay so. `file`: unused; llm=playbook has that setting."""

    patience_minutes = 0.0

    def __init__(self, file: str) -> None:
        self.asked: list[tuple[str, Messages]] = []

    def check(self) -> None:
        """Nobody is to be asked."""

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        role = role_of(messages)
        self.asked.append((role, messages))
        draw = random.Random(f"{ask} {call}")
        broken = ask % 5 == 3 and (call == 0 or ask % 20 == 13)
        text = {"plan": _plan, "report": _report, "edit": _edit}[role](ask, broken, draw)
        return Reply(text, "stop", f"{role}-model", tokens_in=10_000, tokens_out=100, tokens_cached=0)


def role_of(messages: Messages) -> str:
    """By what it is asked for."""
    instructions = messages[0]["content"]
    forms = {"plan": PLAN_FORM, "report": REPORT_FORM}
    return next((role for role, form in forms.items() if form[:20] in instructions), "edit")


def _plan(ask: int, broken: bool, draw: random.Random) -> str:
    return draw.choice(BROKEN_PLANS) if broken else (JSON, PLAN)[ask % 2].format(ask=ask)


def _report(ask: int, broken: bool, draw: random.Random) -> str:
    return "It went well." if broken else REPORT


def _edit(ask: int, broken: bool, draw: random.Random) -> str:
    """By content: a line that every program of these studies has, whatever it is set to."""
    value = round(draw.uniform(0.01, 0.05), 6)
    line = "no such line = 1" if broken else "ADAM_BETA1 = 0.8"
    new = f"{line}\nDRAWN_{ask} = {value}"
    return f"NOTE: drawn\nHYPOTHESIS: none\nEXPECT: -0.001\n\n<<<<<<< SEARCH\n{line}\n=======\n{new}\n>>>>>>> REPLACE\n"
