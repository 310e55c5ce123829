"""Every provider of conf/llm, by the command that its page gives, against a server that behaves as it does."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

import pytest
from omegaconf import OmegaConf

from search.config.messages import UserError
from search.config.overrides import key_of, prepared
from search.config.places import CONF, ROOT
from search.config.schema import LLM_KEYS, Config, build, settings_of
from search.llm.chat import ChatClient
from search.llm.prices import cost_of
from search.llm.replay import Replay
from search.llm.reply import Reply
from tests.servers.llm import Answer, serve

PAGE = (ROOT / ".github/docs/providers.md").read_text()
PROVIDERS = sorted(path.stem for path in (CONF / "llm").glob("*.yaml") if "base_url" in OmegaConf.load(path))
PROMPT = [{"role": "system", "content": "You improve."}, {"role": "user", "content": "DEPTH = 8\n" * 2_000}]
FITS = 8_000  # tokens of that prompt


@dataclass
class Ways:
    """What is special about a provider. `usd`: what a reply costs, where that is known."""

    usd: float | None = None
    usage: dict = field(default_factory=dict)
    message: dict = field(default_factory=dict)
    listing: Answer = field(default_factory=lambda: Answer(status=404))
    sent: dict = field(default_factory=dict)


WAYS = {
    "openai": Ways(
        usd=(8_000 * 2.0 + 500 * 10.0) / 1e6,
        usage={"completion_tokens_details": {"reasoning_tokens": 400}},
        sent={"reasoning_effort": "high"},
    ),
    # Its list wants another header than OpenAI's package sends.
    "anthropic": Ways(usd=(8_000 * 4.0 + 500 * 20.0) / 1e6, listing=Answer(status=401, error="x-api-key is required")),
    "openrouter": Ways(
        usd=0.0125,
        usage={"cost": 0.0125, "completion_tokens_details": {"reasoning_tokens": 400}},
        message={"reasoning": "hm"},
        sent={"reasoning": {"effort": "high"}, "provider": {"order": ["deepinfra"], "allow_fallbacks": False}},
    ),
    "vllm": Ways(usd=0.0, message={"reasoning": "hm"}, sent={"chat_template_kwargs": {"enable_thinking": False}}),
    "ollama": Ways(usd=0.0, message={"reasoning": "hm"}),
    "local": Ways(message={"reasoning_content": "hm"}),
}


def answer(tokens=FITS, ways=None, **changes):
    ways = ways or WAYS["local"]
    whole = Answer("DEPTH = 9", message=ways.message)._value()
    usage = {"prompt_tokens": tokens, "completion_tokens": 500, **ways.usage, **changes}
    return Answer(body={**whole, "usage": usage})


def command(provider):
    """What the page says to type for a provider, as Hydra takes it; one that it does not know has nothing special."""
    found = re.search(rf"^python -m search (.*\bllm={provider}\b.*)$", PAGE, re.MULTILINE)
    return prepared(shlex.split(found[1] if found else f"strategy=agent llm={provider} llm.model=m"), Config, sweeps=False)


@pytest.fixture
def provider(configure, monkeypatch):
    """A provider's client, with its price and its study's name."""

    def make(name, url):
        words = [word for word in command(name) if key_of(word) != "llm.base_url"]
        key = OmegaConf.load(CONF / "llm" / f"{name}.yaml").api_key_env
        if key is not None:
            monkeypatch.setenv(key, "sk-canary-77")
        real = configure(*words)  # whose address the price list knows
        config = configure(*words, f"llm.base_url={url}")
        client = build({"_target_": config.llm["_target_"], **settings_of(config.llm, LLM_KEYS)})
        return client, real.llm["price"], config.strategy_name

    return make


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_command_of_its_page_reaches_a_provider_and_what_it_says_is_recorded(provider, name):
    ways = WAYS.get(name, Ways())
    with serve(answer(ways=ways), listing=ways.listing) as server:
        client, price, study = provider(name, server.url)
        client.check()
        reply = client.complete(PROMPT, 0, 0)
    request = server.requests[-1]
    assert {key: request[key] for key in ways.sent} == ways.sent
    assert set(request) == {"model", "messages", "stream", *ways.sent}
    assert (server.keys[-1] == "Bearer sk-canary-77") == (client._key != "")
    assert (reply.text, reply.reasoning) == ("DEPTH = 9", "hm" if ways.message else "")
    cost = cost_of([reply], price)
    assert ways.usd is None or cost.usd == pytest.approx(ways.usd)
    assert cost.tokens_reasoning == (400 if ways.usage else None)
    assert all(key in study for key in ways.sent)  # two efforts of one model are two studies


@pytest.mark.parametrize(("tokens", "cut"), [(4_096, True), (2_000, True), (8_192, False), (5_000, False), (None, False)])
def test_a_prompt_that_was_cut_without_a_word_is_an_error_with_its_remedy(provider, tokens, cut):
    with serve(answer(tokens)) as server:
        client, _, _ = provider("ollama", server.url)
        if not cut:
            assert client.complete(PROMPT, 0, 0).tokens_in == tokens
            return
        with pytest.raises(UserError, match=rf"read {tokens:,} tokens of a prompt of 20,012 .*(\n).*OLLAMA_CONTEXT_LENGTH"):
            client.complete(PROMPT, 0, 0)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"cost": 0.01}, 0.01),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, 0.21),
        ({"cost": 0.01, "is_byok": True}, None),  # of a provider's own charge nothing is said
        ({"cost": "much"}, None),
        ({}, None),
    ],
)
def test_dollars_are_the_servers_own_count_or_unknown(provider, usage, usd):
    with serve(answer(**usage)) as server:
        client, price, _ = provider("openrouter", server.url)
        assert cost_of([client.complete(PROMPT, 0, 0)], price).usd == (usd if usd is None else pytest.approx(usd))


def test_nothing_is_paid_for_a_reply_again(tmp_path):
    (tmp_path / "0001").mkdir()
    reply = Reply("x", "stop", "m", usd=0.5, tokens_in=10, tokens_out=10)
    call = {"ask": 0, "call": 0, "program_md": "", "messages": [], "reply": reply.record()}
    (tmp_path / "0001" / "call-1.json").write_text(json.dumps(call))
    replayed = Replay(str(tmp_path)).complete([], 0, 0)
    assert cost_of([replayed], {"input": 0.0, "cached": 0.0, "output": 0.0}).usd == 0.0


@pytest.mark.parametrize(
    ("overrides", "price"),
    [
        (["llm.model=claude-opus-5-5-20261001"], 4.0),  # a dated model
        (["llm.model=claude-opus-5-5", "llm.price.input=7"], 7),
        (["llm.model=claude-opus-5-5", "llm.base_url=http://127.0.0.1:1/v1"], None),  # somebody else's server
        (["llm.model=of-tomorrow"], None),
    ],
)
def test_a_listed_price_is_for_the_owners_server_and_may_be_overridden(configure, overrides, price):
    assert configure("strategy=agent", "llm=anthropic", *overrides).llm["price"]["input"] == price


def test_a_budget_in_dollars_needs_a_known_price(configure):
    known = ("strategy=agent", "study.usd=5", "llm=openai", "llm.model=gpt-6.1-sol")
    configure(*known)
    configure("strategy=agent", "study.usd=5", "llm=openrouter", "llm.model=a/b")
    with pytest.raises(UserError, match=r"the price of llm\.model=of-tomorrow is not known.*llm\.price\.input"):
        configure(*known[:-1], "llm.model=of-tomorrow")


def test_what_an_unnamed_server_costs_is_unknown_until_it_is_told(provider, configure):
    with serve(answer()) as server:
        client, price, _ = provider("local", server.url)
        assert cost_of([client.complete(PROMPT, 0, 0)], price).usd is None
    known = ("strategy=agent", "llm=local", "llm.model=m", "study.usd=5")
    with pytest.raises(UserError, match=r"llm\.price\.input.*0: a machine of your own"):
        configure(*known)
    configure(*known, "llm.price.input=0", "llm.price.output=0")


def test_a_long_request_still_names_its_study(configure):
    names = [
        configure("strategy=agent", "llm=local", "llm.model=m", f"+llm.request={{stop: [{text}], top_p: 0.9}}").strategy_name
        for text in ("a" * 200, "a" * 201)
    ]
    assert len(set(names)) == 2 and all(len(name) < 140 for name in names)


def test_what_the_harness_says_itself_is_no_part_of_a_request():
    with pytest.raises(UserError, match=r"llm\.request\.stream"):
        ChatClient("m", None, None, {"stream": True}, 5.0, 0.0)
