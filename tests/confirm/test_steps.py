"""A winner without each step that was kept on the way to it, and what the steps are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.compare.analyse.analysis import analyse
from search.compare.analyse.finding import Scope, Verdict
from search.compare.read import parse
from search.compare.show.markdown import markdown_of
from search.compare.show.view import View
from search.compare.truth.world import AGENT, CONTROL, World, records
from search.confirm.announce import left_in, looks
from search.confirm.merge import without_edit
from search.confirm.plan import report
from search.confirm.steps import steps_of
from search.study.trial import Candidate
from tests.confirm.records import SETTINGS, TEXT, entry, stock_arm

FIRST = TEXT.replace("RATE = 0.5", "RATE = 0.25")
SECOND = FIRST.replace("    print(DEPTH * RATE)\n", "    scale = 2\n    print(DEPTH * RATE * scale)\n")
THIRD = SECOND.replace("DEPTH = 8", "DEPTH = 9")


def child(number, text, score, parent, kept=True):
    made = entry(number, text, score, kept)
    return replace(made, trial=replace(made.trial, answer=Candidate(text, parent=parent, note=f"note {number}")))


def chain(last=THIRD):
    return child(2, FIRST, 1.9, 0), child(3, "BAD = 1\n", 2.5, 2, False), child(5, SECOND, 1.8, 2), child(6, last, 1.7, 5)


def test_each_step_is_taken_back_by_itself(finished):
    study = finished(0, *chain())
    steps = steps_of(study.entries, study.entries[-1])
    assert [step.trial for step in steps] == [2, 5, 6] and not any(step.why for step in steps)
    assert steps[0].text == THIRD.replace("RATE = 0.25", "RATE = 0.5")
    assert steps[1].text == FIRST.replace("DEPTH = 8", "DEPTH = 9") and steps[2].text == SECOND


def test_a_step_that_later_ones_lean_on_is_named_and_stays(finished):
    again = SECOND.replace("scale = 2", "scale = 3")
    study = finished(0, *chain(again))
    (_, second, third) = steps_of(study.entries, study.entries[-1])
    assert second.text is None and "a later step changed the same lines" in second.why and third.text == SECOND
    back = finished(0, *chain(SECOND.replace("RATE = 0.25", "RATE = 0.5")))
    assert "took it back" in steps_of(back.entries, back.entries[-1])[0].why
    plan = report([study], stock_arm(), replace(SETTINGS, ablate=True), {})
    assert left_in(plan) == [f"{study.identity}: the step of trial 5 (note 5) {second.why}"]


def test_where_order_would_be_a_guess_nothing_is_merged():
    assert without_edit("a\nb\n", "a\nx\nb\n", "a\nx\ny\nb\n") is None
    assert without_edit("a\nb\nc\n", "a\nB\nc\n", "a\nB\nC\n") == "a\nb\nC\n"


def test_one_step_is_the_whole_gain_and_the_same_program_again_is_no_step(finished):
    again = child(4, FIRST, 1.9, 0)
    study = finished(0, child(2, FIRST, 1.9, 0), replace(again, trial=replace(again.trial, answer=Candidate(FIRST, 1, 2))))
    assert steps_of(study.entries, study.entries[-1]) == []


def test_ablation_is_planned_once_asked_for_and_is_no_look(finished):
    study, arms = finished(0, *chain()), stock_arm()
    plain, ablated = (report([study], arms, replace(SETTINGS, ablate=ablate), {}) for ablate in (False, True))
    new = [step["arm"] for step in ablated.studies[study.identity]["steps"]]
    assert ablated.arms_of_seeds()[0] == plain.arms_of_seeds()[0] | set(new) and len(set(new)) == 3
    assert looks([plain, ablated]) == looks([plain]) == 1
    assert looks([plain, ablated, replace(ablated, settings=replace(SETTINGS, repeats=9))]) == 2


def test_the_table_of_findings_says_which_step_carries_the_gain():
    """Of two steps one is worth nothing and the other everything; a third could not be taken back."""
    studies, confirmation, _ = records(3, World((replace(AGENT, code=0.05), CONTROL), plans=((1, 8),)))
    head, rows, plans = confirmation
    (identity,) = (name for name, study in plans[0]["studies"].items() if study["winner"]["arm"] != "stock")
    winner = plans[0]["studies"][identity]["winner"]["arm"]
    random = np.random.default_rng(0)
    for row in [row for row in rows if row["facts"]["arm"] == winner]:
        for arm, loss in (("without 2", 0.0), ("without 5", 0.05)):
            bpb = row["confirmation_bpb"] + loss + random.normal(0, 0.001)
            rows.append({**row, "confirmation_bpb": bpb, "facts": {**row["facts"], "arm": arm}})
    steps = [{"trial": trial, "note": "", "arm": f"without {trial}", "why": ""} for trial in (2, 5)]
    steps.append({"trial": 7, "note": "", "arm": None, "why": "cannot be taken back"})
    later = {**plans[0], "studies": {**plans[0]["studies"], identity: {**plans[0]["studies"][identity], "steps": steps}}}
    experiment = parse.experiment("simulated", studies, [(head, rows, [plans[0], later])])
    view = View(analyse(experiment))
    found = {one.step: one for one in view.everywhere(Scope.STEP)}
    verdicts = [found[trial].verdict for trial in (2, 5, 7)]
    assert verdicts == [Verdict.NOT_SHOWN, Verdict.SHOWN, Verdict.NOT_STATED]
    assert found[5].estimate.low < 0.05 < found[5].estimate.high and found[5].look.number == 1
    text = markdown_of(experiment, view, (), ())
    assert "## Which steps carry the gain" in text and "without the step of trial 7, which cannot be taken back" in text
