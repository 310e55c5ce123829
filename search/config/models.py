"""The name of a model within a study's name, and its price."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from omegaconf import OmegaConf

PRICES = Path(__file__).with_name("prices.yaml")
OPENAI = "https://api.openai.com/v1"
REPORTED = "reported"  # a price that the server counts itself, with each reply
LONGEST = 120  # characters of a name, which becomes a folder
DATE = re.compile(r"-\d{4}-?\d\d-?\d\d$")  # at the end of a model's name


def model_name(model: str | None, request: Mapping[str, Any]) -> str | None:
    """The model with what is asked of it, such as `gpt-6.1-sol-reasoning_effort-high`: two efforts of one model are two
    studies. A long name ends with a hash of all of it."""
    if model is None:
        return None
    plain = OmegaConf.to_container(request) if OmegaConf.is_config(request) else request
    name = "-".join([model, *_settings(plain)])
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _settings(node: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in sorted(node.items()):
            yield from _settings(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(node, list):
        yield "-".join([prefix, *(value if isinstance(value, str) else json.dumps(value) for value in node)])
    else:
        yield f"{prefix}-{node if isinstance(node, str) else json.dumps(node)}"


def role_names(name: str | None, llms: Any) -> str | None:
    """For a strategy with several LLMs: the chosen one's name, and that of each role which has one of its own, such as
    `small-plan-large`. Other keys of `llms` are refused later."""
    nodes = sorted(llms.items()) if isinstance(llms, Mapping) else []
    own = [f"{role}-{node['name']}" for role, node in nodes if isinstance(node, Mapping) and "name" in node]
    return name if not own else "-".join([str(name), *own])


def listed_price(kind: str, model: str | None, base_url: str | None) -> float | None:
    """For `${price:input,...}` in conf/llm: what prices.yaml says of the model; None if it says nothing."""
    price = price_of(model, base_url)
    return None if price is None else price[kind]


def price_of(model: str | None, base_url: str | None) -> Mapping[str, float] | None:
    """Dollars per million tokens, for `input`, `cached` (a part of the input) and `output`."""
    address = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI
    models: Mapping[str, Mapping[str, float]] = _listed().get(urlsplit(address).netloc, {}).get("models", {})
    return models.get(model or "") or models.get(DATE.sub("", model or ""))


@functools.cache
def _listed() -> Mapping[str, Any]:
    listed: Any = OmegaConf.to_container(OmegaConf.load(PRICES))
    return listed
