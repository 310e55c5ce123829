"""Records of simulated studies, in the form in which MLflow carries those of real ones."""

from __future__ import annotations

from typing import Any

from search.compare.truth.trainer import SECONDS, STOCK, Program

Json = dict[str, Any]
ROLES = {"agent": "agent", "optuna": "baseline", "seeds": "control"}
STOCK_CONSTANTS = {"MATRIX_LR": 0.013, "DEPTH": 1, "WARMDOWN_RATIO": 0.5}
MLP = {"MLP(nn.Module).forward": ["gelu", "relu", "square"]}
# The part of the code that a program of that kind changes, with its words.
CODE: dict[str, dict[str, list[str]]] = {"none": {}, "constants": {}, "code": MLP, "both": MLP}


def header(label: str, name: str, search_seed: int, trials: int) -> Json:
    """The first line of a study's journal. `label`: the strategy with its variant, such as optuna-tpe."""
    variant = label.partition("-")[2]
    strategy: Json = {"name": name, "role": ROLES.get(name, "baseline"), "variant": variant or None}
    if name == "agent":
        strategy["llm"] = {"_target_": "search.llm.playbook.Playbook", "name": "playbook"}
    return {
        "identity": f"simulated/cpu/{label}/{search_seed}",
        "strategy": label,
        "config": {
            "experiment": "simulated",
            "seed": search_seed,
            "strategy": strategy,
            "study": {"trials": trials, "train_hours": None, "usd": None, "anchor_every": 10},
            "task": {"name": "cpu"},
        },
        "overrides": [*_overrides(name, variant, trials), f"seed={search_seed}"],
        "task": {"device": "cpu", "budget": {"seconds": SECONDS}, "vocab_size": 1024},
        "task_fingerprint": "simulated",
        "stock": STOCK.digest,
        "harness": "simulated",
        "sandbox": "bubblewrap",
        "machine": "simulated",
        "environment": {"python": "3.11"},
        "time": 0.0,
        "id": f"{label}{search_seed}",
    }


def row(number: int, origin: str, program: Program, outcome: Json, replicate: int, usd: float | None) -> Json:
    """A trial as `search.tracking.trial_row.row` writes it. `outcome`: the trainer's columns."""
    cost = {"usd": usd, "tokens_in": 9000, "tokens_out": 800, "tokens_cached": 0, "seconds": 4.0, "calls": 1}
    wins = outcome["status"] == "completed" and outcome["audited"] and origin != "anchor"
    return {
        "number": number,
        "origin": origin,
        "score": outcome["val_bpb"] if wins else None,
        "kept": None,
        "verdict": None,
        "replicate": replicate,
        "parent": None if number == 0 else 0,
        "note": program.name,
        "source": program.digest,
        "kind": program.kind,
        "kind_from_stock": program.kind,
        "changed": program.constants,
        "constants": program.constants,
        "constants_before": {name: STOCK_CONSTANTS[name] for name in program.constants},
        "flags": [],
        "doubts": [],
        "device": "",
        "telemetry": {},
        "touched": _touched(program),
        "code": dict.fromkeys(CODE[program.kind], program.digest[:8]),
        "repeats": [],
        "facts": {},
        "cost": None if usd is None else cost,
        **outcome,
    }


def _touched(program: Program) -> dict[str, list[str]]:
    return {**{name: [] for name in program.constants}, **CODE[program.kind]}


def _overrides(name: str, variant: str, trials: int) -> list[str]:
    """The command line that its studies would be started with, but for the search seed."""
    groups = {"agent": "llm=playbook" if variant == "playbook" else f"llm.model={variant}", "optuna": f"sampler={variant}"}
    chosen = [f"strategy={name}", *([groups[name]] if name in groups else [])]
    return [*chosen, "task=cpu", "experiment=simulated", f"study.trials={trials}"]
