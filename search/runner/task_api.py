"""Describes in a few lines what a program may call of the harness, for whoever edits one. It is read from the text of
`search.task`: importing that would take a second for PyTorch."""

from __future__ import annotations

import ast
import functools
import inspect
from pathlib import Path

TASK = Path(__file__).parent.parent / "task"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def task_api() -> str:
    """A line for each name that `search.task` offers, and for each public method of what `join` returns."""
    package, run = (ast.parse((TASK / name).read_text(encoding="utf-8")) for name in ("__init__.py", "run.py"))
    offered = ast.literal_eval(next(node.value for node in package.body if _assigns(node, "__all__")))  # type: ignore[attr-defined]
    lines = [_line("task.", node) for node in package.body if isinstance(node, Function) and node.name in offered]
    for node in run.body:
        if isinstance(node, ast.ClassDef) and node.name == "Run":
            lines.append(f"- run: {_first_paragraph(node, 1)}")
            methods = (method for method in node.body if isinstance(method, Function))
            lines += [_line("run.", method) for method in methods if not method.name.startswith("_")]
    return "\n".join(lines)


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in node.targets
    )


def _line(owner: str, node: Function) -> str:
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"- {owner}{node.name}({arguments}){returns}: {_first_paragraph(node)}"


def _first_paragraph(node: Function | ast.ClassDef, paragraph: int = 0) -> str:
    """Of a docstring, as one line."""
    parts = inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n")
    return " ".join(parts[min(paragraph, len(parts) - 1)].split())
