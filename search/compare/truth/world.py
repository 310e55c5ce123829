"""Experiments whose truth is known: a fake trainer with chosen effects and noise, published as studies and a confirmation.

`simulate(seed, world)` gives the experiment as `search.compare` would read it, and what is true of it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.compare.read import parse
from search.compare.read.tables import Experiment
from search.compare.truth.trainer import SECONDS, STOCK, STOCK_BPB, Noise, Program, Trainer
from search.study.seeds import confirmation_seed, training_seed

STOCK_CONSTANTS = {"MATRIX_LR": 0.013, "DEPTH": 1, "WARMDOWN_RATIO": 0.5}


@dataclass(frozen=True)
class Rival:
    """A strategy of the fake world. `tuning`, `code`: true gains (bits per byte) of its programs over the stock, by what
    they change. `between`: standard deviation of that gain between studies. `within`: between programs of one search.
    `overfit`: part of the gain that is there on validation only. `noise`: its programs' noise, as a multiple of the stock's.
    `speed`: its programs' tokens per second, likewise where they change code.
    """

    label: str
    name: str
    kinds: tuple[str, ...]
    tuning: float = 0.0
    code: float = 0.0
    between: float = 0.0
    within: float = 0.0
    overfit: float = 0.0
    noise: float = 1.0
    speed: float = 1.0
    trials: int = 20
    usd: float | None = None


ROLES = {"agent": "agent", "optuna": "baseline", "seeds": "control"}
AGENT = Rival("agent-playbook", "agent", ("constants", "code", "both"), usd=0.01)
OPTUNA = Rival("optuna-tpe", "optuna", ("constants",))
CONTROL = Rival("seeds", "seeds", ("none",), trials=12)


@dataclass(frozen=True)
class World:
    """`tails`: normal, heavy (Student's t with 3 degrees of freedom) or skewed (exponential); all have the standard
    deviation `sd`. `drift`: bits per byte and hour by which everything gets worse, for the machine becomes slower.
    `failures`: share that crashes."""

    rivals: tuple[Rival, ...] = (AGENT, OPTUNA, CONTROL)
    studies: int = 6
    repeats: int = 5
    extensions: tuple[int, ...] = ()  # repeats of later plans
    top: int = 1
    sd: float = 0.01
    tails: str = "normal"
    drift: float = 0.0
    failures: float = 0.0
    confirmed: bool = True
    anchor_every: int = 10


@dataclass(frozen=True)
class Truth:
    """What is true of a study's winner: gains over the stock on both splits, and their parts (on validation)."""

    gain: float
    gain_on_validation: float
    tuning: float
    code_and_interaction: float
    luck: float


def simulate_experiment(seed: int, world: World | None = None) -> Experiment:
    return simulate(seed, world)[0]


def simulate(seed: int, world: World | None = None) -> tuple[Experiment, dict[str, Truth]]:
    """An experiment, and what is true of each of its studies' winners."""
    studies, confirmation, truths = records(seed, world or World())
    return parse.experiment("simulated", studies, [] if confirmation is None else [confirmation]), truths


def records(seed: int, world: World) -> tuple[list[Any], tuple[Any, list[Any], list[Any]] | None, dict[str, Truth]]:
    """Headers and rows as MLflow would carry them; confirmation: header, rows and plans."""
    random = np.random.default_rng(seed)
    trainer = Trainer(Noise(world.sd, world.tails, world.drift), random)
    studies, programs = [], {}
    for rival, search_seed in itertools.product(world.rivals, range(world.studies)):
        header = _header(rival, search_seed, world)
        rows, tried = _study(rival, search_seed, world, trainer)
        studies.append((header, rows))
        programs[header["identity"]] = tried
    if not world.confirmed:
        return studies, None, {}
    plans, arms = _plans(studies, programs, world)
    rows = _confirmation(plans, arms, world, trainer)
    truths = {}
    for (header, trials), chosen in zip(studies, plans[-1]["studies"].values(), strict=True):
        number = chosen["winner"]["trial"]
        truths[header["identity"]] = _truth(programs[header["identity"]][number], trials, number)
    return studies, (_header(world.rivals[0], 0, world), rows, plans), truths


def _truth(program: Program, trials: list[Any], number: int) -> Truth:
    gain = program.tuning + program.code
    score = next(row["val_bpb"] for row in trials if row["number"] == number)
    return Truth(
        gain=gain,
        gain_on_validation=gain + program.overfit,
        tuning=program.tuning,
        code_and_interaction=program.code + program.overfit,
        luck=STOCK_BPB - gain - program.overfit - score,
    )


def _study(rival: Rival, search_seed: int, world: World, trainer: Trainer) -> tuple[list[Any], dict[int, Program]]:
    """The rows of one study, and its programs by trial."""
    random = trainer.random
    search_effect = random.normal(0, rival.between) if rival.between else 0.0
    rows: list[Any] = []
    programs: dict[int, Program] = {}
    proposed = 0
    while proposed < rival.trials:
        number = len(rows)
        anchor = number > 0 and number % (world.anchor_every + 1) == 0
        stock = number == 0 or anchor or rival.name == "seeds"
        replicate = proposed if rival.name == "seeds" and not anchor else 0
        program = STOCK if stock else _propose(rival, f"{rival.label}/{search_seed}/{number}", search_effect, random)
        seed = training_seed(search_seed, replicate)
        fails = number > 0 and not anchor and random.random() < world.failures
        outcome = trainer.crash(seed) if fails else trainer.train(program, seed)
        origin = "stock" if number == 0 else "anchor" if anchor else "strategy"
        rows.append(_row(number, origin, program, outcome, replicate, rival.usd if origin == "strategy" else None))
        programs[number] = program
        proposed += not anchor
    best = np.inf
    for row in rows:
        row["confirmation_bpb"] = None  # a study never sees it
        row["kept"] = row["val_bpb"] is not None and row["origin"] != "anchor" and row["val_bpb"] < best
        best = row["val_bpb"] if row["kept"] else best
    return rows, programs


def _propose(rival: Rival, name: str, search_effect: float, random: np.random.Generator) -> Program:
    kind = rival.kinds[random.integers(len(rival.kinds))] if len(rival.kinds) > 1 else rival.kinds[0]
    quality = random.normal(0, rival.within) if rival.within else 0.0
    tunes, codes = kind in ("constants", "both"), kind in ("code", "both")
    return Program(
        name=name,
        kind=kind,
        tuning=(rival.tuning + (search_effect + quality if not codes else 0.0)) * tunes,
        code=(rival.code + search_effect + quality) * codes,
        overfit=rival.overfit,
        noise=rival.noise,
        speed=rival.speed if codes else 1.0,
        constants={"MATRIX_LR": 0.02, "DEPTH": 2} if tunes else {},
    )


def _row(number: int, origin: str, program: Program, outcome: Any, replicate: int, usd: float | None) -> dict[str, Any]:
    cost = {"usd": usd, "tokens_in": 9000, "tokens_out": 800, "tokens_cached": 0, "seconds": 4.0, "calls": 1}
    wins = outcome["status"] == "completed" and outcome["audited"] and origin != "anchor"
    tokens, seconds = outcome["tokens"], outcome["train_seconds"]
    return {
        "number": number,
        "origin": origin,
        "score": outcome["val_bpb"] if wins else None,
        "tokens_per_second": tokens / seconds if tokens and seconds else None,
        "kept": None,
        "verdict": None,
        "duplicate_of": None,
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
        "facts": {},
        "cost": None if usd is None else cost,
        **outcome,
    }


def _plans(
    studies: list[Any], programs: dict[str, dict[int, Program]], world: World
) -> tuple[list[Any], dict[str, Program]]:
    """The plans, and the program of each arm."""
    arms = {"stock": STOCK}
    chosen: dict[str, Any] = {}
    for header, rows in studies:
        identity = header["identity"]
        scored = [row for row in rows if row["val_bpb"] is not None and row["origin"] != "anchor"]
        best = sorted(scored, key=lambda row: row["val_bpb"])[: world.top]
        screened = []
        for row in best:
            program = programs[identity][row["number"]]
            arms[program.name] = program
            screened.append({"trial": row["number"], "arm": program.name})
        winner = programs[identity][screened[0]["trial"]]  # the fake screening always chooses the first
        chosen[identity] = {
            "winner": screened[0],
            "constants": _constants_arm(winner, arms),
            "left_in_code": ["NEW_CONSTANT"] if winner.kind == "both" else [],
            "screened": screened,
        }
    hashes = {name: program.digest for name, program in arms.items()}
    plans = [
        {"time": float(at), "repeats": repeats, "top": world.top, "arms": hashes, "studies": chosen}
        for at, repeats in enumerate((world.repeats, *world.extensions))
    ]
    return plans, arms


def _constants_arm(winner: Program, arms: dict[str, Program]) -> str | None:
    if winner.kind in ("none", "constants"):
        return None
    if winner.kind == "code":
        return "stock"
    name = f"{winner.name} constants"
    arms[name] = Program(name, "constants", tuning=winner.tuning, noise=winner.noise, constants=winner.constants)
    return name


def _confirmation(plans: list[Any], arms: dict[str, Program], world: World, trainer: Trainer) -> list[Any]:
    """Arms one after the other within each repeat, so that drift hits all of them."""
    rows: list[Any] = []
    for repeat in range(plans[-1]["repeats"]):
        for name, program in arms.items():
            seed = confirmation_seed(0, repeat)
            fails = trainer.random.random() < world.failures
            outcome = trainer.crash(seed) if fails else trainer.train(program, seed)
            row = _row(len(rows), "strategy", program, outcome, repeat, None)
            rows.append({**row, "facts": {"arm": name, "stage": "report"}})
    return rows


def _header(rival: Rival, search_seed: int, world: World) -> dict[str, Any]:
    strategy: dict[str, Any] = {
        "name": rival.name,
        "role": ROLES.get(rival.name, "baseline"),
        "variant": rival.label.partition("-")[2] or None,
        "trials": 100,
    }
    if rival.name == "agent":
        strategy["llm"] = {"_target_": "search.llm.playbook.Playbook", "name": "playbook"}
    budget = {"trials": rival.trials, "train_hours": None, "usd": None, "anchor_every": world.anchor_every}
    return {
        "identity": f"simulated/cpu/{rival.label}/{search_seed}",
        "strategy": rival.label,
        "config": {
            "experiment": "simulated",
            "seed": search_seed,
            "strategy": strategy,
            "study": budget,
            "task": {"name": "cpu"},
        },
        "overrides": [*_overrides(rival), f"seed={search_seed}"],
        "task": {"device": "cpu", "budget": {"seconds": SECONDS}, "vocab_size": 1024},
        "task_fingerprint": "simulated",
        "stock": STOCK.digest,
        "harness": "simulated",
        "sandbox": "bubblewrap",
        "machine": "simulated",
        "environment": {"python": "3.11"},
        "noise_floor": None,
        "time": 0.0,
        "id": f"{rival.label}{search_seed}",
    }


def _overrides(rival: Rival) -> list[str]:
    """The command line that its studies would be started with, but for the search seed."""
    variant = rival.label.partition("-")[2]
    groups = {"agent": "llm=playbook" if variant == "playbook" else f"llm.model={variant}", "optuna": f"sampler={variant}"}
    chosen = [f"strategy={rival.name}", *([groups[rival.name]] if rival.name in groups else [])]
    return [*chosen, "task=cpu", "experiment=simulated", f"study.trials={rival.trials}"]
