"""What every training run of an experiment gets, and what the stock scores with it. No number means anything without
this."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.read.tables import Experiment
from search.compare.show.view import View
from search.page.numbers import duration
from search.page.text import short

SAME = 0.001  # share by which two texts are as hard as each other
SCORE = "A score is val_bpb, the bits per byte of text that the model needs: lower is better. In gains, positive is better."


def text_of(experiment: Experiment) -> str | None:
    """Says what the text is, in the words of the data's YAML."""
    about: str | None = (experiment.studies[0].header["config"].get("data") or {}).get("about")
    return about


def setting_of(view: View, text: str | None = None) -> Iterator[str]:
    """Yields sentences about the budget, the text, the score and the stock, as far as they are on record."""
    budget = view.analysis.task_facts.get("budget", {})
    if budget.get("tokens"):
        yield f"A training run gets {budget['tokens']:,} tokens, whatever time they take."
    elif budget.get("seconds"):
        yield f"A training run gets {duration(budget['seconds'])}."
    if text:
        yield f"The text is {short(text)}."
    yield SCORE
    facts = view.analysis.confirmation
    if facts is not None and facts.stock is not None:
        scores = view.score(facts.stock.validation), view.score(facts.stock.unseen)
        apart = facts.stock.ratio - 1
        harder = "equally hard" if abs(apart) < SAME else "harder" if apart > 0 else "easier"
        words = f"In the confirmation, the stock (the unchanged program) scores {scores[0]} on the text that studies see"
        yield f"{words} and {scores[1]} on unseen text, which is {harder}."
