"""What a report's words mean. Only those that it uses are explained."""

from __future__ import annotations

import re

WORDS = {
    "anchor": "the stock, trained again during a study.",
    "block": "training runs of several programs with one fresh seed, side by side, in random order.",
    "code": "what is left of a gain without the tuning: changed code, alone or together with the constants.",
    "control": "the strategy that trains the unchanged program again and again under other seeds. What it claims is luck.",
    "look": "one reading of the confirmation. Looks that nobody planned have a stricter level for p.",
    "noise floor": "the standard deviation of the control's scores.",
    "not shown": "p is above its level. This does not mean that there is no difference.",
    "overfitting": "how much more a winner gains on the text that its study looked at than on unseen text.",
    "repeat": "a block of one search seed.",
    "shown": "p, one-sided, is below its level, which is 0.05 at most over all looks. Intervals are two-sided, at 95 %: "
    "where something is only just shown, they may reach a little past zero. The opposite is shown where the whole interval "
    "is below it.",
    "stock": "the unchanged train.py from which every study starts.",
    "study": "one strategy with one search seed and one budget.",
    "too early to say": "there are too few control trials, studies or repeats.",
    "winner": "the program that a study kept last.",
}


def used_in(text: str) -> dict[str, str]:
    """The words of WORDS that a text uses, with their meanings."""
    return {word: meaning for word, meaning in WORDS.items() if re.search(rf"\b{_stem(word)}", text, re.I)}


def _stem(word: str) -> str:
    return word.removesuffix("y")  # study, studies
