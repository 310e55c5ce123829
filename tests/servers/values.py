"""In the place of an LLM that chooses values of constants: draws them, and replies badly now and then."""

from __future__ import annotations

import json
import random

from search.llm.reply import Messages, Reply

BAD = ("no idea", '{"MATRIX_LR": 99}', "COLOUR = 3", "")


class Draws:
    """Every third reply is of no use at first, and every ninth stays so. `file`: unused; llm=playbook has that setting."""

    patience_minutes = 0.0

    def __init__(self, file: str) -> None:
        self.asked: list[Messages] = []

    def check(self) -> None:
        """Nobody is to be asked."""

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        self.asked.append(messages)
        draw = random.Random(f"{ask} {call}")
        if ask % 9 == 4 or (ask % 3 == 1 and call == 0):
            text = draw.choice(BAD)
        elif ask % 2:
            text = f"NOTE: drawn\n{json.dumps({'MATRIX_LR': draw.uniform(0.01, 0.05), 'DEPTH': draw.randint(1, 4)})}"
        else:
            decay, rate = draw.uniform(0.0, 0.5), draw.uniform(0.01, 0.05)
            text = f"NOTE: drawn\n\n- `WEIGHT_DECAY` = {decay}  # smaller\nMATRIX_LR: {rate}"
        return Reply(text, "stop", "drawn", tokens_in=10_000, tokens_out=100, tokens_cached=0)
