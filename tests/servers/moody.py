"""A server whose replies are of every odd kind, the same whenever the same is asked, and which may have a bad day."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.servers.llm import Answer, Script

BLOCK = "<<<<<<< SEARCH\n{line}\n=======\nMATRIX_LR = {value}{more}\n>>>>>>> REPLACE\n"
EDIT = "NOTE: step size {value}\nHYPOTHESIS: larger\n\n" + BLOCK
NOT_TAKEN = "a repair of this is not taken"
STUBBORN = "there is nothing to improve, and this will be said again"


def _literal(text: str) -> str:
    return EDIT.format(value=0.5, line="{line}", more=f"\nODD = {text}")


# What is said first, by the trial's number modulo their count. `{good}`: a good edit, which is the repair of nearly each.
REPLIES: list[Answer] = [
    Answer("{good}"),
    Answer("<think>\nperhaps\n" + EDIT.format(value=0.00001, line="{line}", more="") + "no\n</think>\n{good}"),
    Answer(""),
    Answer("so " * 12_000, finish_reason="length"),
    Answer("", message={"refusal": "I cannot help with that"}),
    Answer("", message={"content": None, "tool_calls": [{"function": {"name": "edit", "arguments": "{}"}}]}),
    Answer("", finish_reason="content_filter"),
    Answer("", message={"content": None, "reasoning_content": "hm"}),
    Answer("", message={"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "{good}"}]}),
    Answer(_literal("0x" + "f" * 4_000)),
    Answer(_literal("-" * 1_500 + "1")),
    Answer(_literal('"\\ud800"')),
    Answer(_literal("'\0'")),
    Answer(EDIT.format(value=0.5, line="{line}", more="\n" + "N" * 300 + " = 1")),
    Answer("--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-{line}\n+MATRIX_LR = 0.5\n"),
    Answer("\ufeff{good}"),
    Answer(EDIT.format(value="{same}", line="{line}", more="")),
    Answer(NOT_TAKEN),
    Answer(STUBBORN),
]
OUTAGES: list[Answer] = [
    Answer(status=500),
    Answer(status=502, body="<html><title>Bad gateway</title></html>"),
    Answer(status=503, headers={"Retry-After": "1"}),
    Answer(status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    Answer(body={"error": {"message": "upstream is overloaded", "code": 502}}),
    Answer(body={"id": "1", "choices": []}),
    Answer(body="<html>sign in</html>"),
    Answer(body='data: {"choices": []}\n\ndata: [DONE]\n\n'),
    Answer(body=""),
    Answer("half", cut=True),
    Answer("half", reset=True),
    Answer(status=504, hang=4.0),
    Answer("no gzip", headers={"Content-Encoding": "gzip"}),
    Answer(body=[1, 2]),
]


@dataclass
class Moody(Script):
    """`bad_days`: draws what goes wrong; None for a server that always replies. `paid`: how many replies were given, by
    trial and call."""

    bad_days: random.Random | None = None
    paid: Counter[tuple[int, int]] = field(default_factory=Counter)
    outages: int = 0

    def answer(self, path: str, request: dict[str, Any] | None) -> Answer:
        if self.bad_days is not None and self.bad_days.random() < 0.4:
            self.outages += 1
            return OUTAGES[self.outages % len(OUTAGES)]
        return super().answer(path, request)

    def reply(self, messages: list[dict[str, str]]) -> Answer:
        asked = "\n".join(message["content"] for message in messages)
        told = [int(number) for number in re.findall(r"(?m)^- (\d+): ", asked)]
        if not told:
            return Answer("OK")
        number, repairs = 1 + max(told), asked.count("Nothing was trained:")
        first = REPLIES[number % len(REPLIES)]
        anew = self.paid[number, 0] > 0 and first.text == NOT_TAKEN
        if anew and any(message["content"] == NOT_TAKEN for message in messages):
            return Answer(status=400, error="this conversation is not taken")
        self.paid[number, repairs + (1 if anew else 0)] += 1
        repaired = (repairs > 0 or anew) and first.text != STUBBORN
        return _filled(Answer("{good}") if repaired else first, number, messages[1]["content"])


def _filled(answer: Answer, number: int, asked: str) -> Answer:
    """The reply to what was asked for this trial."""
    line = re.findall(r"(?m)^MATRIX_LR = .*$", asked)[-1:] or ["MATRIX_LR"]
    same = line[0].partition("=")[2].split("#")[0].strip()
    good = EDIT.format(value=round(0.02 + 0.001 * number, 4), line=line[0], more="")

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{good}", good).replace("{line}", line[0]).replace("{same}", same)
        if isinstance(value, list):
            return [fill(part) for part in value]
        return {name: fill(part) for name, part in value.items()} if isinstance(value, dict) else value

    text = fill(answer.text)
    text = text.replace("\n", "\r\n") if text.startswith("\ufeff") else text
    return Answer(text, finish_reason=answer.finish_reason, message=fill(answer.message))
