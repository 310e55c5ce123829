"""What every training run of an experiment gets, and what the stock makes of it: without this, no number says anything."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.read.tables import Experiment
from search.compare.show.view import View
from search.page.numbers import duration
from search.page.text import short

SAME = 0.001  # share by which two texts are as hard as each other


def text_of(experiment: Experiment) -> str | None:
    """What its text is, in the words of its data's YAML."""
    about: str | None = (experiment.studies[0].header["config"].get("data") or {}).get("about")
    return about


def setting_of(view: View, text: str | None = None) -> Iterator[str]:
    """Sentences about the budget, the text, and the stock's scores, as far as they are on record."""
    budget = view.analysis.task_facts.get("budget", {})
    if budget.get("tokens"):
        yield f"A training run gets {budget['tokens']:,} tokens, whatever time they take."
    elif budget.get("seconds"):
        yield f"A training run gets {duration(budget['seconds'])}."
    if text:
        yield f"Text: {short(text)}."
    facts = view.analysis.confirmation
    if facts is not None and facts.stock is not None:
        scores = view.score(facts.stock.validation), view.score(facts.stock.unseen)
        apart = facts.stock.ratio - 1
        harder = "as hard" if abs(apart) < SAME else "harder" if apart > 0 else "easier"
        words = f"The stock (the unchanged program) scores {scores[0]} {'there' if text else 'on the text that studies see'}"
        yield f"{words} and {scores[1]} on unseen text, which is {harder}."
