"""What the comparison counts, and what it says where nothing is shown."""

from __future__ import annotations

import json
from dataclasses import replace

from search.compare.analyse.analysis import SCHEMA, analyse, to_json
from search.compare.analyse.confirmed import confirmation_of, counts, looks_at
from search.compare.analyse.gains import evidence_of
from search.compare.analyse.headline import headline
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, simulate_experiment

SMALL = (replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=4))
BETTER = (replace(AGENT, trials=4, tuning=0.1, code=0.1), replace(OPTUNA, trials=4, tuning=0.03), SMALL[2])


def contrasts_of(experiment):
    return headline(evidence_of(experiment, None))


# ---- looks, failures, screening ----


def test_later_looks_are_counted_and_paid_for():
    analysis = analyse(simulate_experiment(0, World(BETTER, extensions=(7, 9))))
    assert analysis.confirmation.looks == 3 and analysis.confirmation.planned == 5 and analysis.confirmation.repeats == 9
    confirmed, contrast = analysis.studies[0].confirmed, analysis.headline[0]
    assert confirmed.looks == contrast.looks == 3 and confirmed.repeats == 9
    assert confirmed.p_as_planned > confirmed.gain.p
    assert any("planned or extended 3 times" in caution for caution in analysis.cautions)


def test_a_plan_below_the_minimum_is_no_look():
    table = simulate_experiment(0, World(SMALL, studies=1, repeats=3, extensions=(5,))).confirmation
    assert looks_at(table, set(table.plans[0].studies), 1) == 1


def test_only_completed_audited_reports_count():
    experiment = simulate_experiment(0, World(SMALL, studies=1))
    table = experiment.confirmation
    first, second, third, *rest = table.rows
    spoilt = (
        replace(first, audited=False),
        replace(second, stage="screening"),
        replace(third, status="crashed", val_bpb=None, score=None),
    )
    assert not any(counts(row) for row in spoilt)
    found = confirmation_of(replace(table, rows=(*spoilt, *rest)))
    assert {arm.name: len(arm.repeats) for arm in found.arms}[first.arm] == 4
    assert [(failed.arm, failed.status) for failed in found.failed] == [(first.arm, "completed"), (third.arm, "crashed")]
    assert found.failed[0].reason == "was not audited" and found.unfinished == 1


def test_repeats_that_are_planned_must_be_run_before_anything_is_stated():
    experiment = simulate_experiment(0, World(BETTER, repeats=8))
    table = experiment.confirmation
    half = replace(experiment, confirmation=replace(table, rows=tuple(row for row in table.rows if row.replicate < 6)))
    assert analyse(experiment).studies[0].confirmed.shown and contrasts_of(experiment)[0].verdict == "shown"
    analysis = analyse(half)
    for missing in (analysis.studies[0].confirmed.missing, analysis.headline[0].missing):
        assert [entry.command for entry in missing] == ["python -m search.confirm experiment=simulated repeats=8"]
    assert not analysis.studies[0].confirmed.shown and analysis.headline[0].verdict == "not stated"


def test_repeats_that_failed_are_asked_for_again():
    experiment = simulate_experiment(0, World(BETTER))
    table = experiment.confirmation
    rows = (replace(table.rows[0], status="crashed", val_bpb=None, score=None), *table.rows[1:])
    contrast = contrasts_of(replace(experiment, confirmation=replace(table, rows=rows)))[1]
    assert [(entry.what, entry.command) for entry in contrast.missing] == [
        ("1 of 5 confirmation repeats", "python -m search.confirm experiment=simulated repeats=6")
    ]


def test_a_better_trial_after_the_plan_is_said():
    experiment = simulate_experiment(0, World(SMALL, studies=1))
    study = experiment.studies[0]
    rows = (*study.rows, replace(study.rows[-1], number=len(study.rows), val_bpb=1.0, score=1.0))
    analysis = analyse(replace(experiment, studies=(replace(study, rows=rows), *experiment.studies[1:])))
    assert analysis.studies[0].confirmed.better_since == len(study.rows)
    assert any("has a better trial" in caution for caution in analysis.cautions)


# ---- words ----


def test_without_a_confirmation_every_claim_is_unconfirmed():
    analysis = analyse(simulate_experiment(0, World(BETTER, confirmed=False)))
    claims = [sentence for sentence in analysis.verdict if "claims" in sentence]
    assert len(claims) == 2 and all("unconfirmed" in sentence for sentence in claims)
    assert all(study.confirmed is None for study in analysis.studies)
    assert not any(word in sentence for sentence in analysis.verdict for word in ("shown.", "is better"))


def test_what_is_not_shown_is_said_to_be_not_shown():
    analysis = analyse(simulate_experiment(0, World()))
    assert [contrast.verdict for contrast in analysis.headline] == ["not shown"] * 3
    assert sum("not shown" in sentence for sentence in analysis.verdict) >= 3
    assert any("would settle it" in sentence for sentence in analysis.verdict)


def test_without_a_control_the_noise_is_unknown():
    analysis = analyse(simulate_experiment(0, World(SMALL[:2], studies=2)))
    assert analysis.noise.control is None and analysis.noise.null_band is None
    assert "noise floor is unknown" in analysis.verdict[0]
    assert {study.stock_from for study in analysis.studies} == {"own stock"}


def test_what_differs_between_studies_is_cautioned_of():
    experiment = simulate_experiment(0, World(SMALL, studies=2))
    experiment.studies[0].header["harness"] = "of another day"
    experiment.studies[2].header["harness"] = experiment.studies[3].header["harness"] = "with Optuna's own module"
    experiment.studies[0].header["machine"] = "another"
    experiment.studies[0].header["sandbox"] = "none"
    experiment.studies[0].header["config"]["strategy"]["llm"]["about"] = "a hand-picked list"
    cautions = " ".join(analyse(replace(experiment, empty=("simulated/cpu/x/0",))).cautions)
    assert "Studies of optuna" not in cautions
    for words in (
        "Studies of agent ran under different versions",
        "different machines",
        "different sandboxes",
        "without a sandbox",
        "a hand-picked list",
        "no finished trial",
    ):
        assert words in cautions


def test_the_analysis_is_plain_json_and_repeats_itself():
    experiment = simulate_experiment(0, World(failures=0.05))
    text = json.dumps(to_json(analyse(experiment)), allow_nan=False)
    assert text == json.dumps(to_json(analyse(experiment)), allow_nan=False)
    assert json.loads(text)["schema"] == SCHEMA == 1
