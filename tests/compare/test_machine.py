"""What is cautioned of the machine: trials that it slowed down, and devices of different models."""

from __future__ import annotations

from dataclasses import replace

from search.compare.analyse.analysis import analyse
from search.compare.read import parse
from search.compare.show.report.blocks import LONGEST
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records

RIVALS = (replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=10))


def test_trials_that_were_slowed_down_are_counted_by_study():
    studies, confirmation, _ = records(0, World(RIVALS, studies=1))
    slow = {"throttled_share": 0.06, "cpu_share": 0.89, "stolen_share": 0.03}
    fine = {"throttled_share": 0.05, "cpu_share": 0.9, "stolen_share": 0.02}
    for header, rows in studies:
        for number, row in enumerate(rows):
            row["telemetry"] = slow if header["strategy"] == "optuna-tpe" and number in (1, 2) else fine
    (_, rows), *_ = studies
    rows[1].update(status="crashed", val_bpb=None, score=None, telemetry=slow)  # its speed is in no score
    rows[2]["telemetry"] = {}
    confirmation[1][0]["telemetry"] = slow
    cautions = analyse(parse.experiment("simulated", studies, [confirmation])).cautions
    for words in ("slowed down", "less than 90 %", "other machines on the same host"):
        (caution,) = [caution for caution in cautions if words in caution]
        assert caution.startswith("3 completed trials ran")
        assert caution.endswith("simulated/cpu/optuna-tpe/0 (2), the confirmation (1).")


def test_a_card_that_is_always_at_its_power_limit_favours_no_study():
    studies, confirmation, _ = records(0, World(RIVALS, studies=1))
    groups = [rows for _, rows in studies] + [confirmation[1]]
    for rows in groups:
        for row in rows:
            row["telemetry"] = {"throttled_share": 1.0, "cpu_share": 0.5}

    def cautions():
        found = analyse(parse.experiment("simulated", studies, [confirmation])).cautions
        return [caution for caution in found if "completed trials ran" in caution]

    throttled, busy = cautions()
    assert "favours no study" in throttled and len(throttled) <= LONGEST  # not cut in the report
    assert "favours no study" not in busy
    for row in confirmation[1]:
        row["telemetry"] = {}
    assert not [caution for caution in cautions() if "favours no study" in caution]


def test_different_models_of_device_are_cautioned_of_and_different_units_are_not():
    studies, confirmation, _ = records(0, World(RIVALS, studies=1))
    h100, h200 = "NVIDIA H100 80GB HBM3", "NVIDIA H200"
    for number, (_, rows) in enumerate(studies):
        for row in rows:
            row["device"] = f"{h100} GPU-{number}"
    studies[0][1][1]["device"] = "cuda GPU-1"  # from before models were on record
    studies[1][1][1]["device"] = ""  # nothing was trained

    def cautions():
        found = analyse(parse.experiment("simulated", studies, [confirmation])).cautions
        return [caution for caution in found if "different models" in caution]

    assert cautions() == []
    confirmation[1][0]["device"] = f"{h200} GPU-1"
    (caution,) = cautions()
    assert caution.endswith(f"({h100}: simulated/cpu/agent-playbook/0 and 2 more; {h200}: the confirmation).")
