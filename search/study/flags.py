"""Names what a reader should know about a program before believing its score. Flags change no score."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# Modules whose import alone stands out, and what it is called.
IMPORTS = {
    "uses_processes": {"subprocess", "multiprocessing", "pty", "signal", "psutil"},
    "uses_network": {"socket", "ssl", "urllib", "http", "ftplib", "smtplib", "requests", "httpx", "aiohttp"},
    "uses_threads": {"threading", "_thread", "concurrent", "asyncio"},
    "uses_memory": {"ctypes", "cffi", "mmap"},
    "uses_inspection": {"inspect", "gc", "sys", "traceback", "importlib", "builtins", "atexit", "pickle", "marshal"},
    "uses_system": {"os", "pathlib", "shutil", "tempfile", "glob", "io"},
    "uses_clock": {"time", "datetime", "timeit"},
}
WRITERS = {"write", "write_text", "write_bytes", "tofile", "save", "savez", "savez_compressed", "dump", "memmap", "mkdir"}
GENERATORS = {"default_rng", "Random", "RandomState"}  # seeded where they are given an argument
SEEDING = {"manual_seed", "manual_seed_all", "seed", "seed_all", "set_rng_state"}
READ_ONLY = {"r", "rb", "rt"}


def flags(source: str) -> tuple[str, ...]:
    """Names of what stands out in a program, sorted. Raises SyntaxError.

    `sets_seed`: it seeds a random generator itself. That can be a hunt for lucky seeds; confirmation uses others.
    `writes_files`: other than its weights. `touches_harness`: more of `search` than `task.join()` and what that returns
    offers. `patches_modules`: it assigns to a name of an imported module. `uses_...`: it imports what training hardly
    needs.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    imported = set(_imported(nodes))
    names = {alias.asname or alias.name.partition(".")[0] for node in nodes for alias in _aliases(node)}
    found = {flag for flag, modules in IMPORTS.items() if imported & modules}
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if any(_called(call) in SEEDING or (_called(call) in GENERATORS and call.args) for call in calls):
        found.add("sets_seed")
    if any(_called(call) in WRITERS or _opens_for_writing(call) for call in calls):
        found.add("writes_files")
    if any(_touches_harness(node) for node in nodes):
        found.add("touches_harness")
    if any(_patches(node, names) for node in nodes):
        found.add("patches_modules")
    return tuple(sorted(found))


def _aliases(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else []


def _imported(nodes: list[ast.AST]) -> Iterator[str]:
    """First parts of the names of all imported modules, also of those imported by a call with a literal."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and _called(node) in ("__import__", "import_module"):
            yield "importlib"
            yield from (str(value.value).partition(".")[0] for value in node.args if isinstance(value, ast.Constant))


def _touches_harness(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] == "search" for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        inside = (node.module or "").partition(".")[0] == "search"
        return inside and not (node.module == "search" and [alias.name for alias in node.names] == ["task"])
    if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
        return False
    return isinstance(node.value, ast.Name) and node.value.id in ("run", "task")


def _patches(node: ast.AST, modules: set[str]) -> bool:
    """Whether it assigns to an attribute of an imported module, directly or with setattr."""
    if isinstance(node, ast.Call) and _called(node) == "setattr":
        return bool(node.args) and _root(node.args[0]) in modules
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    attributes = [target for target in targets if isinstance(target, ast.Attribute)]
    return any(_root(target.value) in modules and not _is_setting(target) for target in attributes)


def _is_setting(target: ast.Attribute) -> bool:
    """PyTorch's switches, such as torch.backends.cuda.matmul.allow_tf32, are meant to be assigned to."""
    return any(part in ast.unparse(target) for part in (".backends.", ".config."))


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _opens_for_writing(call: ast.Call) -> bool:
    if _called(call) != "open":
        return False
    place = 0 if isinstance(call.func, ast.Attribute) else 1  # path.open(mode), open(path, mode)
    modes = [*call.args[place : place + 1], *(word.value for word in call.keywords if word.arg == "mode")]
    return any(not (isinstance(mode, ast.Constant) and mode.value in READ_ONLY) for mode in modes)


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
