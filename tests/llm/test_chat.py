"""The client against a server that misbehaves: what passes is waited for, the rest ends at once in its words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from search.config.messages import UserError
from search.llm.chat import ChatClient
from search.llm.patience import PatientClient
from search.llm.reply import Refused
from tests.servers.llm import Answer, FakeClock, serve

GOOD = Answer("hello")
PROMPT = [{"role": "user", "content": "hello?"}]


@pytest.fixture
def heard():
    return []


@pytest.fixture
def client(heard, monkeypatch):
    monkeypatch.setenv("A_KEY", "sk-canary-77")

    def make(url, minutes=120.0, stop=lambda: False, model="test", **settings):
        options = {"api_key_env": "A_KEY", "request": {}, "timeout_seconds": 5.0, **settings}
        return PatientClient(ChatClient(model, url, patience_minutes=minutes, **options), heard.append, stop, FakeClock())

    return make


def completion(**changes):
    return {**GOOD._value(), **changes}


PASSING = {
    "500": (Answer(status=500, error="oops"), "500: oops"),
    "502 with a web page": (Answer(status=502, body="<html><h1>502 Bad Gateway</h1></html>"), "502 Bad Gateway"),
    "503 without a body": (Answer(status=503, body=""), "503"),
    "529": (Answer(status=529, error="overloaded"), "overloaded"),
    "429": (Answer(status=429, error="slow down"), "slow down"),
    "an error as 200": (Answer(body={"error": {"message": "upstream is down", "code": 502}}), "502: upstream is down"),
    "an error as 200, in a word": (Answer(body={"error": "loading model"}), "loading model"),
    "an error in a list": (Answer(body=[{"error": {"message": "try later", "code": 503}}]), "try later"),
    "an error beside choices": (Answer(body=completion(error={"message": "no provider"})), "no provider"),
    "an error in the choice": (
        Answer(body={"choices": [{"error": {"message": "provider broke off", "code": 502}, "finish_reason": "error"}]}),
        "provider broke off",
    ),
    "no choices": (Answer(body={"id": "1"}), "not a chat completion"),
    "choices null": (Answer(body=completion(choices=None)), "not a chat completion"),
    "choices empty": (Answer(body=completion(choices=[])), "not a chat completion"),
    "a choice that is none": (Answer(body=completion(choices=[None])), "not a chat completion"),
    "a message that is none": (Answer(body=completion(choices=[{"message": None}])), "not a chat completion"),
    "a web page": (Answer(body="<!doctype html><title>Sign in</title>"), "a web page: Sign in"),
    "an event stream": (Answer(body='data: {"choices": []}\n\ndata: [DONE]\n'), "event stream"),
    "an empty body": (Answer(body=""), "empty body"),
    "null": (Answer(body="null"), "null"),
    "half of a body": (Answer("x" * 300, cut=True), "cut off"),
    "a reset in the body": (Answer("x" * 300_000, reset=True), "Error"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_waited_for_with_a_line_at_its_begin_and_end(client, heard, name):
    trouble, words = PASSING[name]
    with serve(trouble, trouble, GOOD) as server:
        assert client(server.url).complete(PROMPT, 0, 0).text == "hello"
    assert len(server.requests) == 3 and len(heard) == 2
    assert words in heard[0] and "up to 120 minutes" in heard[0] and server.url in heard[0]
    assert "replies again" in heard[1] and "2 retries" in heard[1]


LASTING = {
    "401": (Answer(status=401, error="bad key sk-canary-77"), r"401: bad key \[key\]"),
    "402": (Answer(status=402, error="no credit"), "no credit"),
    "403": (Answer(status=403, body={"detail": "not for you"}), "not for you"),
    "404": (Answer(status=404, body="<html>nothing</html>"), "404: a web page: nothing"),
    "no quota": (Answer(status=429, body={"error": {"message": "you owe us", "code": "insufficient_quota"}}), "you owe us"),
    "a wrong key as 200": (Answer(body={"error": {"message": "No auth", "code": 401}}), "401: No auth"),
    "a prompt that is too long": (Answer(status=400, error="context length exceeded"), "context length"),
    "a body that is too long": (Answer(status=413, error="too large"), "longer context or use another model"),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_no_waiting_mends_ends_at_once_in_the_servers_words(client, heard, name):
    trouble, words = LASTING[name]
    with serve(trouble) as server, pytest.raises(UserError, match=words) as ended:
        client(server.url).complete(PROMPT, 0, 0)
    assert len(server.requests) == 1 and not heard and "retr" not in str(ended.value)
    assert isinstance(ended.value, Refused) == ("too long" in name) == ("fix the key" not in str(ended.value))
    assert str(ended.value).count("\n") == 1


def test_patience_ends_and_says_how_often_it_asked(client, heard):
    with serve(Answer(status=503)) as server, pytest.raises(UserError) as ended:
        patient = client(server.url)
        patient.complete(PROMPT, 0, 0)
    assert patient.clock.now() == pytest.approx(120 * 60)
    assert 24 < len(server.requests) < 60  # pauses grow, up to five minutes
    assert f"in 120 minutes, after {len(server.requests) - 1} retries" in str(ended.value) and len(heard) == 1


def test_without_patience_nothing_is_asked_again_and_no_retry_claimed(client, heard):
    with serve(Answer(status=503)) as server, pytest.raises(UserError) as ended:
        client(server.url, minutes=0.0).complete(PROMPT, 0, 0)
    assert len(server.requests) == 1 and not heard and "after" not in str(ended.value).splitlines()[0]


def in_a_while(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 1, 1),
        ("0", 1, 1),
        ("-3", 1, 1),
        ("soon", 1, 1),
        ("inf", 1, 1),
        ("99999", 7200, 7200),
        (900.0, 600, 900),  # as a date, so many seconds from now
        (-900.0, 1, 1),
    ],
)
def test_a_server_may_say_how_long_to_wait(client, header, low, high):
    """Never less than the growing pause, never more than patience."""
    said = in_a_while(header) if isinstance(header, float) else header
    with serve(Answer(status=429, headers={"Retry-After": said}), GOOD) as server:
        patient = client(server.url)
        assert patient.complete(PROMPT, 0, 0).text == "hello"
    assert low <= patient.clock.now() <= high


def test_a_server_that_is_restarted_is_found_again(client, heard):
    with serve(GOOD) as server:
        port, url = int(server.root.rpartition(":")[2]), server.url

    def sleep_until_it_is_back(seconds):
        clock.at += seconds
        if clock.at > 60:
            raise Back

    class Back(Exception):
        pass

    clock = FakeClock()
    clock.sleep = sleep_until_it_is_back
    patient = client(url)
    patient.clock = clock
    with pytest.raises(Back):
        patient.complete(PROMPT, 0, 0)
    assert "Connection refused" in heard[0]
    with serve(GOOD, port=port):
        assert patient.complete(PROMPT, 0, 0).text == "hello"


def test_a_request_to_stop_ends_the_waiting_at_once(client):
    moments = iter(range(10))
    with serve(Answer(status=503)) as server, pytest.raises(KeyboardInterrupt):
        patient = client(server.url, stop=lambda: next(moments) == 5)
        patient.complete(PROMPT, 0, 0)
    assert patient.clock.now() < 5


MESSAGES = {
    "parts": ({"content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]}, ("hello", "", "", "")),
    "thinking parts": (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "hello"}]},
        ("hello", "hm", "", ""),
    ),
    "reasoning beside": ({"content": "hello", "reasoning_content": "hm"}, ("hello", "hm", "", "")),
    "OpenRouter's reasoning": ({"content": None, "reasoning": "hm"}, ("", "hm", "", "")),
    "a refusal": ({"content": None, "refusal": "I will not"}, ("", "", "I will not", "")),
    "a tool": ({"content": None, "tool_calls": [{"function": {"name": "edit"}}]}, ("", "", "", "edit")),
    "a tool of old": ({"content": "", "function_call": {"name": "edit"}}, ("", "", "", "edit")),
    "oddities": ({"content": 7, "refusal": 3, "tool_calls": "x", "reasoning": {}}, ("", "", "", "")),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_each_part_of_a_message_is_kept_for_what_it_is(client, name):
    message, expected = MESSAGES[name]
    with serve(Answer(message=message)) as server:
        reply = client(server.url).complete(PROMPT, 0, 0)
    assert (reply.text, reply.reasoning, reply.refusal, reply.tools) == expected


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": "7", "prompt_tokens_details": None},
        {"prompt_tokens": float("nan"), "completion_tokens": -5},
        {"prompt_tokens": 10**400},
    ],
)
def test_tokens_that_are_not_counted_are_unknown(client, usage):
    with serve(Answer(body=completion(usage=usage))) as server:
        reply = client(server.url).complete(PROMPT, 0, 0)
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached) == (None, None, None)


def test_odd_forms_of_json_are_read(client):
    whole = completion(usage={"prompt_tokens": 7.0})
    with serve(Answer(body=f"\ufeff \n{json.dumps(whole)}")) as server:
        reply = client(server.url).complete(PROMPT, 0, 0)
    assert (reply.text, reply.tokens_in) == ("hello", 7)


def test_without_a_key_a_list_that_names_the_model_is_all_that_is_asked_for(client):
    with serve(GOOD) as server:
        client(server.url, api_key_env=None).check()
    assert (server.lists, server.requests) == (1, [])


@pytest.mark.parametrize(
    "listing", [Answer(status=404), Answer(status=501, body=""), Answer(body="<html>"), Answer(body={})]
)
def test_where_there_is_no_list_one_token_is_asked_for(client, listing):
    with serve(GOOD, listing=listing) as server:
        client(server.url).check()
    assert [request["max_tokens"] for request in server.requests] == [1]


def test_a_model_that_takes_no_max_tokens_is_asked_without(client):
    with serve(Answer(status=400, error="use max_completion_tokens"), GOOD) as server:
        client(server.url, model="newer").check()
    assert "max_tokens" not in server.requests[1]


@pytest.mark.parametrize(
    ("answers", "settings", "words"),
    [
        ({"trouble": Answer(status=401, error="bad key")}, {}, "401: bad key"),  # its list is open to all
        ({"trouble": Answer(status=401, error="bad key"), "listing": Answer(status=401)}, {}, "401: bad key"),
        ({"trouble": Answer(status=403, error="no entry"), "listing": Answer(status=403)}, {}, "403: no entry"),
        ({"trouble": Answer(status=404, error="no such model")}, {"model": "tset"}, "no such model; its models are test, "),
        ({"trouble": Answer(status=400, error="tset is no model")}, {"model": "tset"}, "tset is no model"),
    ],
)
def test_a_wrong_key_or_model_is_found_before_anything_is_trained(client, heard, answers, settings, words):
    listing = {name: answer for name, answer in answers.items() if name == "listing"}
    with serve(answers["trouble"], **listing) as server, pytest.raises(UserError, match=words):
        client(server.url, **settings).check()
    assert not heard


def test_an_address_without_v1_is_named_where_v1_answers(client, heard):
    with serve(GOOD) as server, pytest.raises(UserError) as ended:
        client(server.root).check()
    assert str(ended.value).endswith(f"give llm.base_url={server.root}/v1") and not server.requests
    with serve(GOOD) as server, pytest.raises(UserError) as ended:
        client(f"{server.url}/chat/completions").check()
    assert str(ended.value).endswith(f"give llm.base_url={server.url}")
    with serve(GOOD, prefix="/elsewhere") as server, pytest.raises(UserError, match="404: there is nothing here"):
        client(server.root).check()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "ALL_PROXY"),
        ("ALL_PROXY", "gopher://127.0.0.1:70", "ALL_PROXY"),
        ("SSL_CERT_FILE", "/nonexistent/ca.pem", "SSL_CERT_FILE"),
    ],
)
def test_surroundings_that_forbid_a_connection_are_named(client, monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=words):
        client("http://127.0.0.1:9/v1").complete(PROMPT, 0, 0)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8000/v1", "localhost", "http://", "http://h:port/v1", "ftp://h/v1", "http://h/v1?a=1"]
)
def test_what_is_no_address_is_said(client, address):
    with pytest.raises(UserError, match=r"llm\.base_url"):
        client(address)


def test_a_password_in_an_address_is_not_told(client):
    with serve(Answer(status=401)) as server, pytest.raises(UserError) as ended:
        client(server.url.replace("//", "//bob:s3cretpw@")).complete(PROMPT, 0, 0)
    assert "s3cretpw" not in str(ended.value)
