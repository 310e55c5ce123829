"""Meanings of the words in a report. Only the words that it uses are explained."""

from __future__ import annotations

import re

WORDS = {
    "95 %": "of an interval: in 95 of 100 experiments like this one, it would contain the true value.",
    "agent-playbook": "the agent's loop with a fixed list of edits instead of an LLM (llm=playbook).",
    "anchor": "a training run of the stock in the middle of a study. It shows whether the machine changed.",
    "bits per byte": "how many bits the model needs, on average, to predict one byte of text that it has not seen. A model "
    "that predicts better needs fewer.",
    "block": "training runs of several programs with the same fresh seed, one after the other in random order.",
    "claimed": "what a study seems to have gained: the difference between the stock's score and its winner's at that time.",
    "cmaes": "Optuna's sampler CMA-ES, which proposes constants; `conf/sampler` has all of them.",
    "code": "the part of a gain that is not tuning: changed code, alone or together with the constants.",
    "control": "the strategy that trains only the unchanged program, each time with another seed. What it claims is luck.",
    "look": "one reading of the confirmation. Whoever reads often enough finds something by luck, so all looks share one "
    "allowance of 5 %. A look that nobody planned needs a smaller p.",
    "luck": "the part of a claim that disappears when winner and stock are trained again with fresh seeds.",
    "noise floor": "the standard deviation of the control's scores. It says how much training runs of one program differ.",
    "not shown": "p is above its level. This does not mean that there is no difference.",
    "other text": "what a gain loses (or wins, below 0) because the unseen text is easier (or harder) than the study's: the "
    "same program's gain is smaller (or larger) there. It says nothing about the program.",
    "overfitting": "what a winner lost on unseen text beyond that. It is the gain on the study's text, times the ratio of "
    "the stock's scores on the two texts, minus the gain on unseen text.",
    "p": "how often luck alone would give a result that is at least as clear if the programs were equally good (one-sided).",
    "repeat": "a block of one search seed.",
    "search seed": "the number of a strategy's study, such as the 0 of optuna-tpe/0. It fixes what is random in it.",
    "shown": "p (one-sided) is below its level, which is 0.05 at most over all looks. Intervals are two-sided, at 95 %: if "
    "something is only just shown, they may reach a little past zero. A loss is shown only if the whole interval is "
    "below zero.",
    "stock": "the unchanged train.py from which every study starts.",
    "study": "one strategy with one search seed and one budget.",
    "survived": "the gain of a winner that was trained again with fresh seeds and scored on unseen text.",
    "too early to say": "there are too few control trials, studies or repeats.",
    "tpe": "Optuna's sampler TPE, which proposes constants; `conf/sampler` has all of them.",
    "trial": "one program that a study tried: trained for the budget and scored. Trial 0 is the stock.",
    "unchanged": "exactly 0, because the winner changed nothing of the kind.",
    "winner": "the program that a study kept last.",
}


def used_in(text: str) -> dict[str, str]:
    """The words of WORDS that a text uses, with their meanings."""
    return {word: meaning for word, meaning in WORDS.items() if re.search(rf"\b{_stem(word)}", text, re.I)}


def _stem(word: str) -> str:
    return word.removesuffix("y")  # study, studies
