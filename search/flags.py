"""What a reader should know of a program before believing its score: advice, never a wall."""

from __future__ import annotations

import ast

SEEDING = {"manual_seed", "manual_seed_all", "seed", "seed_all", "set_rng_state"}


def flags(source: str) -> tuple[str, ...]:
    """Names of what stands out in a program. Raises SyntaxError.

    `sets_seed`: it seeds a random generator itself. That can be chance hunting: confirmation uses other seeds.
    """
    calls = {_called(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    return ("sets_seed",) if calls & SEEDING else ()


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
