"""Who answers a prompt: a server that speaks chat.completions, a hand-written list, or the record of an earlier study."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from search.config.files import unwritable, write_whole
from search.config.messages import UserError, printable
from search.config.places import resolve

TOKENS_PER_PRICE = 1_000_000  # prices are dollars for a million tokens
SHORTEST_KEY = 8  # characters

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Reply:
    """What came back. Token counts are None where the server did not say."""

    text: str
    finish_reason: str
    model: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    seconds: float = 0.0

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Call:
    """A reply, and the hash of the program.md that was read for it: a human may have changed it since."""

    reply: Reply
    program_md: str


class Exhausted(Exception):
    """There is no reply left to give."""


class Client(Protocol):
    """`ask` counts the proposals of a study, `call` the calls for one of them (0: the proposal, later ones: its repairs)."""

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        """Raises Exhausted, and UserError where no reply can be had: the study then stops, and resumes from there."""
        ...


class ChatClient:
    """A server that speaks OpenAI's chat.completions: OpenAI itself, vLLM, Ollama, llama.cpp, LiteLLM, OpenRouter.

    Plain text both ways. `base_url`: None for OpenAI's own. `api_key_env`: the environment variable that holds the key; None
    for a server that wants none. `temperature` and `max_tokens` are sent only where they are set: newer models refuse them.
    """

    def __init__(
        self,
        model: str | None,
        base_url: str | None,
        api_key_env: str | None,
        temperature: float | None,
        max_tokens: int | None,
        timeout_seconds: float,
        retries: int,
    ) -> None:
        self._key = _key(api_key_env)
        if not model:
            raise UserError("llm.model: is not set; name a model of that server, as llm.model=...")
        self.model = model
        self.base_url = base_url
        self.timeout_seconds = timeout_seconds
        self.retries = retries
        optional = {"temperature": temperature, "max_tokens": max_tokens}
        self.options = {name: value for name, value in optional.items() if value is not None}

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        import openai

        began = time.monotonic()
        try:
            with openai.OpenAI(
                api_key=self._key or "none", base_url=self.base_url, timeout=self.timeout_seconds, max_retries=self.retries
            ) as client:
                create: Any = client.chat.completions.create  # its overloads know no plain mapping
                answer = create(model=self.model, messages=list(messages), stream=False, **self.options)
            return self._reply(answer, round(time.monotonic() - began, 3))
        # ValueError: a body that is no JSON; the others: JSON that is no chat completion.
        except (openai.OpenAIError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise UserError(self._explain(error)) from None

    def _reply(self, answer: Any, seconds: float) -> Reply:
        """What of a chat completion counts. Raises TypeError, IndexError or AttributeError where it is none."""
        choice, usage = answer.choices[0], answer.usage
        details = usage.prompt_tokens_details if usage else None
        return Reply(
            text=self._plain(choice.message.content or ""),
            finish_reason=str(choice.finish_reason or "unknown"),
            model=self._plain(answer.model or self.model),
            tokens_in=usage.prompt_tokens if usage else None,
            tokens_out=usage.completion_tokens if usage else None,
            tokens_cached=details.cached_tokens if details else None,
            seconds=seconds,
        )

    def _explain(self, error: Exception) -> str:
        where = self.base_url or "OpenAI"
        words = " ".join(self._plain(str(error)).split())[:300] or type(error).__name__
        return (
            f"llm: {where} gave no reply after {self.retries} retries ({type(error).__name__}: {words}).\n"
            "Nothing is lost: mend the key, the model or the server, and give the same command again"
        )

    def _plain(self, text: str) -> str:
        """Text that can be written, and never holds the key: servers may echo it, in errors above all. A key shorter than
        SHORTEST_KEY is a placeholder for a server that wants none, and could be a word of the text."""
        text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY else text


class Playbook:
    """A hand-picked list of edits to this repository's train.py, served in order. It proves nothing about LLMs: it shows the
    whole loop without one."""

    def __init__(self, file: str) -> None:
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            entries: Any = OmegaConf.load(resolve(file))
            self.replies = [_as_reply(entry) for entry in entries]
        except (OSError, OmegaConfBaseException, KeyError, TypeError) as error:
            raise UserError(f"llm.file={file}: is no list of edits ({error!r}); name another file") from error

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        if call > 0:
            raise Exhausted("the playbook has no second answer")
        if ask >= len(self.replies):
            raise Exhausted(f"all {len(self.replies)} edits of the playbook are served")
        return Reply(self.replies[ask], "stop", "playbook", tokens_in=0, tokens_out=0, tokens_cached=0)


class Replay:
    """The recorded replies of an earlier study, in their order: nothing is paid again. `record`: that study's folder, or its
    trials' `conversation` folders as downloaded from MLflow."""

    def __init__(self, record: str | None) -> None:
        if not record:
            raise UserError("llm.record: is not set; name the folder of an earlier study, as llm.record=mlruns/studies/...")
        self.record = record
        try:
            calls = _records(resolve(record), f"{CALL}*.json")
            self.replies = {(call["ask"], call["call"]): Reply(**{**call["reply"], "seconds": 0.0}) for call in calls}
            self._unusable = {end["ask"] for end in _records(resolve(record), PROPOSAL) if not end["usable"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"llm.record={record}: cannot be read ({error!r}); name the folder of one study") from error
        if not calls or len(self.replies) < len(calls):
            what = "the replies of several studies" if calls else "no recorded replies"
            raise UserError(f"llm.record={record}: holds {what}; name the folder of one study of strategy=agent")
        self._previous: tuple[int, int] | None = None

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        if call == 0 and self._previous is not None:
            before, last = self._previous
            if (before, last + 1) in self.replies:
                raise self._diverged(before, "the record needed another call, and here the first would do")
        self._previous = (ask, call)
        if (ask, call) in self.replies:
            return self.replies[ask, call]
        if call == 0:
            raise Exhausted("all recorded replies are served")
        if ask in self._unusable:
            raise Exhausted("the record has no further reply either")
        raise self._diverged(ask, "there the reply could be used, and here it cannot")

    def _diverged(self, ask: int, how: str) -> UserError:
        return UserError(
            f"llm=replay: the conversation diverges from {self.record} at proposal {ask + 1}: {how}.\n"
            "Scores differ between machines and seeds, and with them what is kept; what was done so far stands"
        )


CALL = "call-"  # recorded calls are call-1.json, call-2.json, ...
PROPOSAL = "proposal.json"  # how their conversation ended


class Recorder:
    """Puts every reply on disk before anybody reads it, and answers from disk what is there already: nothing is paid twice.

    A trial's calls lie in `folder / "0007"`, as `call-1.json` (all of it), `prompt-1.md` and `reply-1.md` (to read), with
    `proposal.json` for how the conversation ended. Everything here raises UserError where the disk does not take it.
    """

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.folder = folder

    def recorded(self, number: int, call: int) -> Call | None:
        """A call that was made before this process began."""
        path = self.folder / f"{number:04d}" / f"{CALL}{call + 1}.json"
        if not path.is_file():
            return None
        whole = json.loads(path.read_text(encoding="utf-8"))
        return Call(Reply(**whole["reply"]), whole["program_md"])

    def complete(self, number: int, messages: Messages, program: str, ask: int, call: int) -> Call:
        """Make a call. `program`: the text of program.md that its messages hold. Raises as Client.complete."""
        reply = self.client.complete(messages, ask, call)
        program_md = hashlib.sha256(program.encode()).hexdigest()[:12]
        prompt = "\n\n".join(f"# {message['role']}\n\n{message['content']}" for message in messages)
        whole = {"ask": ask, "call": call, "program_md": program_md, "messages": list(messages), "reply": reply.record()}
        self._keep(number, f"prompt-{call + 1}.md", printable(prompt))
        self._keep(number, f"reply-{call + 1}.md", printable(reply.text))
        if not (self.folder / f"program-{program_md}.md").is_file():
            _write(self.folder / f"program-{program_md}.md", program)
        self._keep(number, f"{CALL}{call + 1}.json", json.dumps(whole, indent=1))  # last: what it says is then complete
        return Call(reply, program_md)

    def end(self, number: int, ask: int, problem: str) -> None:
        """Note how a conversation ended; `problem` is empty where it made a program."""
        self._keep(number, PROPOSAL, json.dumps({"ask": ask, "usable": not problem, "problem": problem}, indent=1))

    def _keep(self, number: int, name: str, text: str) -> None:
        _write(self.folder / f"{number:04d}" / name, text)


def _records(folder: Path, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob(pattern)]


def _write(path: Path, text: str) -> None:
    """Whole and on the disk, or not at all. Raises UserError."""
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise unwritable(path, error) from error


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise UserError(
            f"strategy=agent: no key in the environment variable {variable}. Export it, or use a local server (llm=local "
            "llm.base_url=http://... llm.model=...),\nor see the loop without any LLM: llm=playbook"
        )
    return key


def _as_reply(entry: Mapping[str, str]) -> str:
    """An edit of the playbook in the form that an LLM replies in."""
    return f"NOTE: {entry['note']}\nHYPOTHESIS: {entry['hypothesis']}\n\n{entry['edit']}"
