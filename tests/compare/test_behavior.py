"""How strategies behave: what an edit changes, by its names, and the figures of it by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from search.compare.analyse.behavior import Tried, behavior_of
from search.compare.analyse.categories import CATEGORIES, OTHER, categories
from search.compare.analyse.distance import Places, space_of
from search.compare.analyse.moves import moves_of, stretch_of
from search.compare.read import parse
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records, simulate
from search.config.places import ROOT
from search.study import source
from search.study.touched import touched
from tests.compare.experiments import told, told_of

STOCK = (ROOT / "train.py").read_text()
EDITS = [
    ("MATRIX_LR = 0.04", "MATRIX_LR = 0.05", {"optimizer"}),
    ("EMBEDDING_LR = 0.6", "EMBEDDING_LR = 0.5", {"optimizer"}),
    ("WARMDOWN_RATIO = 0.5", "WARMDOWN_RATIO = 0.6", {"schedule"}),
    ("MOMENTUM_STEPS = 300", "MOMENTUM_STEPS = 200", {"schedule"}),
    ("DEPTH = 8", "DEPTH = 9", {"architecture"}),
    ("TOTAL_BATCH_SIZE = 524288", "TOTAL_BATCH_SIZE = 2**18", {"batch"}),
    ("ADAM_BETA1 = 0.8\n", "ADAM_BETA1 = 0.8\nGATE_INIT = 0.1\n", {"initialization"}),
    ('"beta2": 0.95', '"beta2": 0.9', {"optimizer"}),
    ("eps=1e-10", "eps=1e-8", {"optimizer"}),
    ("update = update * state", "update = update.sign() * update.norm() * state", {"optimizer"}),  # whatever words are in it
    ("self.adamw.step()\n", "nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)\n        self.adamw.step()\n",
     {"optimizer"}),
    ("return left + (1 - left) * FINAL_LR_FRAC", "return left**2 + (1 - left**2) * FINAL_LR_FRAC", {"schedule"}),
    ("self.head.weight, std=0.001", "self.head.weight, std=0.002", {"initialization"}),
    ("F.relu(self.up(x)).square()", "F.gelu(self.up(x))", {"architecture"}),
    ("torch.full((DEPTH,), 0.1)", "torch.full((DEPTH,), 0.2)", {"architecture"}),
    ("frequency = 10000.0", "frequency = 50000.0", {"architecture"}),
    ("rows = max(1, TOTAL_BATCH_SIZE // run.sequence_length)", "rows = max(2, TOTAL_BATCH_SIZE // run.sequence_length)",
     {"batch"}),
    ("self.weight.to(x.dtype)", "self.weight.to(torch.bfloat16)", {"precision"}),
    ("return torch.bfloat16 if", "return torch.float16 if", {"precision"}),
    ("dynamic=False", "dynamic=True", {OTHER}),
    ("import math\n", "import math\nimport random\n", {OTHER}),
    ("class MLP(nn.Module):", "class Scale(nn.Module):\n    def forward(self, x):\n        return 2 * x\n\n\n"
     "class MLP(nn.Module):", {"architecture"}),  # whatever it is called
    ("* (1 - progress)\n", "* (1 - progress) ** 2\n", {"optimizer", "schedule"}),
    ("SCALAR_LR = 0.5", "SCALAR_LR = 0.4  # and\nSHARPNESS = 3", {"optimizer", OTHER}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "found"), EDITS)
def test_an_edit_of_train_py_is_told_by_the_names_that_it_changes(before, after, found):
    assert STOCK.count(before) == 1
    changed = STOCK.replace(before, after)
    assert categories(touched(STOCK, changed)) == found
    assert source.change(STOCK, changed).kind != "none" and not categories(touched(changed, changed))


def test_the_table_has_an_edit_for_each_category():
    assert {category for _, _, found in EDITS for category in found} == set(CATEGORIES)


def test_foreign_code_is_other_and_never_guessed():
    before = "def run(a):\n    b = a * 2\n    return b\n\n\nclass Thing:\n    def go(self, half):\n        return half\n"
    for edit in (("a * 2", "a * 3"), ("return b", "return -b"), ("return half", "return half + 1"), ("def go", "def come")):
        assert categories(touched(before, before.replace(*edit))) == {OTHER}


# ---- one study by hand ----

MLP, MUON = {"MLP(nn.Module).forward": ["gelu"]}, {"Muon(Optimizer).step": ["sign"]}
STOCK_VALUES = {"MATRIX_LR": 0.01, "DEPTH": 2, "NAME": "a"}
SPACE = {
    "MATRIX_LR": {"kind": "float", "low": 0.001, "high": 0.1, "log": True},
    "DEPTH": {"kind": "int", "low": 1, "high": 5},
}


def study_of(*trials, space=SPACE):
    """A study of an agent: each trial's changes of constants against the stock, parts of the code, and what else differs."""
    study = simulate(0, World((replace(AGENT, trials=2), CONTROL), plans=((1, 1),)))[0].of("agent-playbook")[0]
    rows = []
    for number, (constants, code, fields) in enumerate([({}, {}, {"origin": "stock", "kept": True}), *trials]):
        kind = {(False, False): "none", (True, False): "constants", (False, True): "code", (True, True): "both"}
        row = replace(
            study.rows[1],
            number=number,
            origin="strategy",
            parent=0,
            source=f"program {number}",
            started=100.0 * number,
            finished=100.0 * number + 90,
            kind=kind[bool(constants), bool(code)],
            constants=constants,
            constants_before={name: STOCK_VALUES[name] for name in constants},
            code={part: str(number) for part in code},
            touched={**{name: [] for name in constants}, **code},
            val_bpb=2.0,
            kept=False,
            repeats=0,
        )
        rows.append(replace(row, **fields))
    header = {**study.header, "config": {**study.header["config"], "strategy": {"space": space}}}
    return replace(study, header=header, rows=tuple(rows))


def behavior(study):
    experiment = simulate(0, World((replace(AGENT, trials=2), CONTROL), plans=((1, 1),)))[0]
    (found,) = behavior_of(replace(experiment, studies=(study, *experiment.control), confirmation=None))
    return found


def test_kinds_and_categories_by_hand():
    study = study_of(
        ({"MATRIX_LR": 0.1}, {}, {"kept": True}),
        ({"DEPTH": 3}, MLP, {}),
        ({}, MUON, {"kept": True}),
        ({}, {}, {"kept": True, "source": "program 2"}),  # trained again, and only now believed
        ({}, {}, {"kind": None, "status": "unusable", "val_bpb": None}),
    )
    found = behavior(study)
    assert (found.proposals, found.unusable) == (3, 1)
    assert found.kinds == {"constants": Tried(1, 1), "code": Tried(1, 1), "both": Tried(1, 1)}
    assert found.categories == {"optimizer": Tried(2, 2), "architecture": Tried(1, 1)}


def test_steps_are_from_the_program_that_was_kept_last_and_in_shares_of_a_range():
    study = study_of(
        ({"MATRIX_LR": 0.1}, {}, {"kept": True}),  # half of its range, on a logarithmic scale
        ({"MATRIX_LR": 0.1, "DEPTH": 4}, {}, {}),  # half of its range
        ({"NAME": "b"}, {}, {}),  # MATRIX_LR half of its range back, and another word
        ({"MATRIX_LR": 0.0}, {}, {}),  # no place on a logarithmic scale
        ({}, MLP, {}),
    )
    steps = [move.step for move in moves_of(study, space_of(experiment_of(study)))]
    assert steps[:4] == pytest.approx([0.5, 0.5, (0.25 + 1) ** 0.5, 1.0]) and steps[4] is None
    assert behavior(study).step == pytest.approx((0.5 + 1) / 2)


def experiment_of(study):
    return replace(simulate(0, World((replace(AGENT, trials=2), CONTROL), plans=((1, 1),)))[0], studies=(study,))


def test_a_constant_that_no_space_declares_has_the_range_around_its_value():
    study = study_of(({"MATRIX_LR": 0.04}, {}, {}), ({"DEPTH": 4}, {}, {}), space={})
    steps = [move.step for move in moves_of(study, space_of(experiment_of(study)))]
    assert steps == pytest.approx([0.5, 1 / (3 - 0) * 1.5], abs=0.2)


def test_novelty_is_the_distance_to_the_nearest_program_before():
    study = study_of(
        ({"MATRIX_LR": 0.1}, {}, {}),
        ({"MATRIX_LR": 0.09}, {}, {}),
        ({"MATRIX_LR": 0.1}, MLP, {}),
        ({"MATRIX_LR": 0.01}, MLP, {}),
        ({"MATRIX_LR": 0.1}, MLP, {"code": {"MLP(nn.Module).forward": "3"}}),  # trial 3 again
    )
    found = [move.novelty for move in moves_of(study, space_of(experiment_of(study)))]
    assert found == pytest.approx([0.5, 0.0229, 1.0, 1.0, 0.0], abs=1e-3)
    places = Places(study.rows, space_of(experiment_of(study)))
    assert places.nearest(0) is None and places.between(1, 4) == pytest.approx(0.5)


def test_what_follows_code_that_was_not_kept():
    study = study_of(
        ({}, MLP, {}),  # 1: followed by the same part again
        ({}, MLP, {}),  # 2: by a retreat, though to a constant of its own
        ({"DEPTH": 3}, {}, {}),  # no code
        ({"DEPTH": 3}, MLP, {}),  # 4: by something else, whatever constant is in both
        ({"DEPTH": 4}, MUON, {"kept": True}),
        ({}, MLP, {"status": "crashed", "val_bpb": None}),  # 6: by one that builds on it
        ({"DEPTH": 3}, {}, {"parent": 6}),
        ({}, MUON, {"started": 800.0, "finished": 990.0}),  # 8: trial 9 began before it ended; so by trial 10
        ({}, MUON, {}),  # 9: by trial 10
        ({"DEPTH": 1}, {}, {"started": 1000.0}),
    )
    assert [move.then for move in moves_of(study, space_of(experiment_of(study)))] == [
        *("again", "constants", None, "other", None, "again", None, "constants", "constants", None),
    ]
    assert behavior(study).after_failure == {"again": 2, "constants": 3, "other": 1}


def test_plateaus_by_hand():
    trials = study_of(*[({}, MLP, {"kept": number in (2, 6)}) for number in range(1, 9)]).trials
    assert stretch_of(trials) == (3, 2 / 9)
    assert stretch_of(trials[:1]) == (0, 0.0) and stretch_of(trials[3:5]) == (2, 1.0)


def test_expected_and_measured_gains_are_of_the_program_that_was_edited():
    study = study_of(
        ({}, MLP, {"val_bpb": 1.9, "expected": 0.3}),
        ({}, MUON, {"val_bpb": 2.0, "parent": 1, "expected": 0.1}),
        ({}, MUON, {"val_bpb": None, "status": "crashed", "expected": 9.0}),
        ({}, MUON, {"val_bpb": 1.0}),
    )
    found = behavior(study).expectations
    assert (found.proposals, found.better) == (2, 1)
    assert (found.expected, found.measured) == (pytest.approx(0.2), pytest.approx(0.0))
    assert behavior(study_of(({}, MLP, {}))).expectations is None


# ---- from the record to the page ----


def test_what_a_strategy_writes_in_its_facts_is_read_with_care():
    (_, rows), *_ = records(0, World((replace(AGENT, trials=3), CONTROL), plans=((1, 1),)))[0][::-1]
    facts = [("-0.25", 0.25), ("+inf", None), ("nan", None), ("much", None), (None, None)]
    for said, expected in facts:
        row = {**rows[1], "facts": {} if said is None else {"expected": said, "repeats": "2"}, "repeats": [0]}
        assert parse.trial_row(row).expected == expected
        assert parse.trial_row(row).repeats == (1 if said is None else 3)


def test_what_the_first_records_lack_is_not_on_record_and_never_zero():
    studies, confirmation, _ = records(0, World((AGENT, OPTUNA, CONTROL), plans=((1, 5),)))
    for _, rows in studies:
        for row in rows:
            for name in ("touched", "code", "repeats"):
                del row[name]
    it = told_of(parse.experiment("simulated", studies, [confirmation]))
    for one in it.json["behavior"]:
        assert one["proposals"] and one["kinds"]
        assert one["categories"] is one["novelty"] is one["repeats"] is one["after_failure"] is None
    assert it.markdown.count("not on record") >= 4


def test_the_report_says_how_each_strategy_behaved_in_a_folded_table_and_a_sentence():
    it = told("effects")
    agent, optuna = it.json["behavior"]
    assert (agent["strategy"], optuna["strategy"]) == ("agent-playbook", "optuna-tpe")
    assert optuna["kinds"]["constants"]["proposals"] == optuna["proposals"] and optuna["after_failure"] == {}
    section = it.markdown.split("### How the strategies behaved")[1].split("\n### ")[0]
    assert section.count("\n| agent-playbook |") == section.count("\n| optuna-tpe |") == 1
    kept, of = sum(tried["kept"] for tried in agent["kinds"].values()), agent["proposals"]
    said = f"- agent-playbook: 100 % of its {of} proposals changed code, and {100 * kept / of:.0f} % of those were kept"
    assert said in section and "- optuna-tpe: 100 % of its" in section
    assert "How the strategies behaved" not in told("nothing").json  # not among the sentences of the verdict
    assert json.dumps(it.json["behavior"])
