"""The scoring process: the candidate's model and its trained weights, rows of tokens in, numbers out.

    python -m search.task.scorer       (started by the harness, with a channel)

It claims (process A: the nats of every token) or answers a challenge (process B: the logits at one position per row).
Since the candidate's code runs in here, nothing it says is trusted before the auditor has compared both.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from search.task import memory, seccomp
from search.task.confine import confine
from search.task.launch import die_with_parent, failure_kind, run_candidate
from search.task.protocol import ANSWER, LATE_MODULES, WEIGHTS, Channel
from search.task.system_calls import Policy

Model = Callable[[torch.Tensor], torch.Tensor]
READ_BYTES = 2**24
# Scores are of the eager model: compiling it would take longer than getting ready may. The second spares torch.compile a
# look into its cache (torch/_inductor/compiler_bisector.py): FlexAttention calls it for each batch if it is not compiled.
NOT_COMPILED = {"TORCHDYNAMO_DISABLE": "1", "TORCH_BISECT_BACKEND": "eager"}


def load_model(channel: Channel, request: dict[str, Any]) -> torch.nn.Module:
    """Build the candidate's model as its `train.py` says, and load its weights (tensors only: no code is unpickled)."""
    build: Any = run_candidate(channel, "candidate")["build_model"]
    model: torch.nn.Module = build(request["vocab_size"], request["sequence_length"])
    model.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True))
    return model.to(request["device"]).eval()


def warm_up(model: Model, request: dict[str, Any]) -> None:
    """Answer random tokens as rows will be answered, in every shape that will be asked for. What a process does the first
    time only, such as reading libraries and loading kernels, happens before it sees a row, and so does what a compiler adds
    the second time."""
    full, rest = divmod(request["rows"], request["batch_rows"])
    generator = np.random.default_rng(0)
    length = request["sequence_length"] + (request["mode"] == "claim")
    for rows in [request["batch_rows"]] * 2 * (full > 0) + [rest] * (rest > 0):
        tokens = generator.integers(request["vocab_size"] - 1, size=(rows, length)).astype(np.uint16)
        positions = np.zeros(rows, np.int64)
        for numbers in _answers(model, [tokens.tobytes(), positions.tobytes()], request):
            numbers.tobytes()


def batches(rows: npt.NDArray[np.uint16], request: dict[str, Any]) -> Iterator[tuple[slice, torch.Tensor]]:
    """Where each batch of rows lies, and the rows."""
    for at in range(0, len(rows), request["batch_rows"]):
        part = rows[at : at + request["batch_rows"]]
        yield slice(at, at + len(part)), torch.from_numpy(part.astype(np.int64)).to(request["device"])


def claim(model: Model, rows: npt.NDArray[np.uint16], request: dict[str, Any]) -> Iterator[npt.NDArray[np.float32]]:
    """rows [n, T + 1] -> batch by batch, [n, T] nats of each row's tokens after the first."""
    for _, batch in batches(rows, request):
        tokens, targets = batch[:, :-1].contiguous(), batch[:, 1:]
        logits = model(tokens).float()
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        yield loss.view(targets.shape).float().cpu().numpy()


def answer(
    model: Model, rows: npt.NDArray[np.uint16], positions: npt.NDArray[np.int64], request: dict[str, Any]
) -> Iterator[npt.NDArray[np.float32]]:
    """rows [n, T], positions [n] -> batch by batch, [n, vocab_size] logits at each row's position."""
    for where, tokens in batches(rows, request):
        asked = torch.from_numpy(positions[where].copy()).to(request["device"])
        chosen = model(tokens)[torch.arange(len(tokens), device=asked.device), asked]
        yield chosen.float().cpu().reshape(len(tokens), request["vocab_size"]).numpy()


def serve(channel: Channel, request: dict[str, Any]) -> None:
    """Answer the one request of this process's life."""
    if request["device"] == "cpu":
        torch.set_num_threads(request["threads"])
    memory.cap_gpu(request["vram_gb"])
    try:
        model = load_model(channel, request)
        file = os.open(ANSWER, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with torch.inference_mode():
            warm_up(model, request)
            channel.send({"event": "ready", "late": [name for name in LATE_MODULES if name in sys.modules]})
            _, files = channel.receive()  # from here on no path can be followed
            for numbers in _answers(model, [_read(number) for number in files], request):
                _write(file, numbers.tobytes())
                channel.send({"event": "answered"})  # the harness takes them at once: they cannot be changed later
    except Exception as error:
        channel.send({"event": "failed", "kind": failure_kind(error), "peak_memory_mb": memory.peak_mb()})
        raise


def _answers(model: Model, inputs: list[bytes], request: dict[str, Any]) -> Iterator[npt.NDArray[np.float32]]:
    length = request["sequence_length"]
    if request["mode"] == "claim":
        return claim(model, np.frombuffer(inputs[0], np.uint16).reshape(-1, length + 1), request)
    rows = np.frombuffer(inputs[0], np.uint16).reshape(-1, length)
    return answer(model, rows, np.frombuffer(inputs[1], np.int64), request)


def _read(file: int) -> bytes:
    parts = []
    while part := os.read(file, READ_BYTES):
        parts.append(part)
    return b"".join(parts)


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def begin(channel: Channel) -> dict[str, Any]:
    """Drop the rights that a scoring process must not have, take the request, and import what the model is known to need."""
    confine()
    listener = seccomp.supervise()
    channel.send({"event": "joined"}, [] if listener is None else [listener])
    if listener is not None:
        os.close(listener)  # or the candidate's code could answer for itself
    seccomp.apply([Policy.SENDING])
    request, _ = channel.receive()
    os.environ |= NOT_COMPILED
    for name in request["late"]:
        importlib.import_module(name)
    channel.send({"event": "prepared"})  # from here on its time counts
    return request


if __name__ == "__main__":
    die_with_parent()
    inherited = Channel.inherited()
    if inherited is None:
        sys.exit("search.task.scorer is started by the harness")
    serve(inherited, begin(inherited))
