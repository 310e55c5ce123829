"""The scoring process: the candidate's model and its trained weights, rows of tokens in, numbers out.

    python -m search.task.scorer       (started by the harness, with a channel)

It claims (process A: the nats of every token) or answers a challenge (process B: the logits at one position per row).
Since the candidate's code runs in here, nothing it says is believed before the auditor has compared both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from search.task import memory
from search.task.confine import confine
from search.task.launch import die_with_parent, failure_kind, run_candidate
from search.task.protocol import ANSWER, WEIGHTS, Channel

Model = Callable[[torch.Tensor], torch.Tensor]


def load_model(channel: Channel, request: dict[str, Any]) -> torch.nn.Module:
    """Build the candidate's model as its `train.py` says, and load its weights (tensors only: no code is unpickled)."""
    build: Any = run_candidate(channel, "candidate")["build_model"]
    model: torch.nn.Module = build(request["vocab_size"], request["sequence_length"])
    model.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True))
    return model.to(request["device"]).eval()


def claim(model: Model, rows: npt.NDArray[np.uint16], request: dict[str, Any]) -> npt.NDArray[np.float32]:
    """rows [n, T + 1] -> [n, T] nats of each row's tokens after the first."""
    nats = np.empty((len(rows), rows.shape[1] - 1), dtype=np.float32)
    for at in range(0, len(rows), request["batch_rows"]):
        batch = torch.from_numpy(rows[at : at + request["batch_rows"]].astype(np.int64)).to(request["device"])
        tokens, targets = batch[:, :-1].contiguous(), batch[:, 1:]
        logits = model(tokens).float()
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        nats[at : at + len(batch)] = loss.view(targets.shape).cpu().numpy()
    return nats


def answer(
    model: Model, rows: npt.NDArray[np.uint16], positions: npt.NDArray[np.int64], request: dict[str, Any]
) -> npt.NDArray[np.float32]:
    """rows [n, T], positions [n] -> [n, vocab_size] logits at each row's position."""
    logits = np.empty((len(rows), request["vocab_size"]), dtype=np.float32)
    for at in range(0, len(rows), request["batch_rows"]):
        tokens = torch.from_numpy(rows[at : at + request["batch_rows"]].astype(np.int64)).to(request["device"])
        where = torch.from_numpy(positions[at : at + len(tokens)].copy()).to(request["device"])
        chosen = model(tokens)[torch.arange(len(tokens), device=where.device), where]
        logits[at : at + len(tokens)] = chosen.float().cpu().numpy()
    return logits


def serve(channel: Channel) -> None:
    """Answer the one request of this process's life."""
    channel.send({"event": "joined"})
    request, files = channel.receive()
    arrays = [os.fdopen(file, "rb") for file in files]
    if request["device"] == "cpu":
        torch.set_num_threads(request["threads"])
    memory.cap_gpu(request["vram_gb"])
    try:
        model = load_model(channel, request)
        channel.send({"event": "ready"})
        with torch.inference_mode():
            if request["mode"] == "claim":
                rows = np.fromfile(arrays[0], np.uint16).reshape(-1, request["sequence_length"] + 1)
                output = claim(model, rows, request)
            else:
                rows = np.fromfile(arrays[0], np.uint16).reshape(-1, request["sequence_length"])
                output = answer(model, rows, np.fromfile(arrays[1], np.int64), request)
    except Exception as error:
        channel.send({"event": "failed", "kind": failure_kind(error), "peak_memory_mb": memory.peak_mb()})
        raise
    output.tofile(ANSWER)
    channel.send({"event": "done"})


if __name__ == "__main__":
    die_with_parent()
    inherited = Channel.inherited()
    if inherited is None:
        sys.exit("search.task.scorer is started by the harness")
    confine()
    serve(inherited)
