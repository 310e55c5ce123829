"""What a reader should know of a program before believing its score: advice, never a wall."""

from __future__ import annotations

import ast

GENERATORS = {"default_rng", "Random", "RandomState"}  # seeded where they are given an argument
SEEDING = {"manual_seed", "manual_seed_all", "seed", "seed_all", "set_rng_state"}


def flags(source: str) -> tuple[str, ...]:
    """Names of what stands out in a program. Raises SyntaxError.

    `sets_seed`: it seeds a random generator itself. That can be chance hunting: confirmation uses other seeds.
    """
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    seeds = any(_called(node) in SEEDING or (_called(node) in GENERATORS and node.args) for node in calls)
    return ("sets_seed",) if seeds else ()


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
