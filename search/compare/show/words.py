"""What a report's words mean. Only those that it uses are explained."""

from __future__ import annotations

import re

WORDS = {
    "95 %": "of an interval: in 95 of 100 experiments like this one, it would hold the true value.",
    "agent-playbook": "the agent's loop with a fixed list of edits instead of an LLM (llm=playbook).",
    "anchor": "the stock, trained again during a study.",
    "block": "training runs of several programs with one fresh seed, side by side, in random order.",
    "claimed": "what a study says that it gained: its winner's search score against the stock's, both from that time.",
    "cmaes": "Optuna's sampler CMA-ES, which proposes constants; `conf/sampler` has all of them.",
    "code": "what is left of a gain without the tuning: changed code, alone or together with the constants.",
    "control": "the strategy that trains the unchanged program again and again under other seeds. What it claims is luck.",
    "look": "one reading of the confirmation. Who reads again and again finds something by luck, so the looks share one "
    "allowance. Looks that nobody planned have a stricter level for p.",
    "luck": "the part of a claim that is gone when winner and stock are trained again with fresh seeds.",
    "noise floor": "the standard deviation of the control's scores: how far training runs of one program are apart.",
    "not shown": "p is above its level. This does not mean that there is no difference.",
    "other text": "what a gain of the same relative size loses (or wins, below 0) since unseen text is easier (or harder). "
    "It says nothing about a program.",
    "overfitting": "how much more than that a winner lost: its gain on the text that its study looked at, times the stock's "
    "score on unseen text over that on the other, minus its gain on unseen text.",
    "p": "how often luck alone would make a result that is at least as clear, if the programs were alike (one-sided).",
    "repeat": "a block of one search seed.",
    "search seed": "the number of a study of a strategy, such as the 0 of optuna-tpe/0: it fixes what is random there.",
    "shown": "p, one-sided, is below its level, which is 0.05 at most over all looks. Intervals are two-sided, at 95 %: "
    "where something is only just shown, they may reach a little past zero. A loss is shown only where the whole interval "
    "is below it.",
    "stock": "the unchanged train.py from which every study starts.",
    "study": "one strategy with one search seed and one budget.",
    "survived": "the gain of a winner that was trained again, with fresh seeds and scored on unseen text.",
    "too early to say": "there are too few control trials, studies or repeats.",
    "tpe": "Optuna's sampler TPE, which proposes constants; `conf/sampler` has all of them.",
    "trial": "one program that a study tried: trained for the budget and scored. Trial 0 is the stock.",
    "unchanged": "exactly 0, since the winner changed nothing of the kind.",
    "winner": "the program that a study kept last.",
}


def used_in(text: str) -> dict[str, str]:
    """The words of WORDS that a text uses, with their meanings."""
    return {word: meaning for word, meaning in WORDS.items() if re.search(rf"\b{_stem(word)}", text, re.I)}


def _stem(word: str) -> str:
    return word.removesuffix("y")  # study, studies
