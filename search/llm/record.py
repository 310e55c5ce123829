"""The record of every reply, on disk before anybody reads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from search.config.files import unwritable, write_whole
from search.config.messages import UserError, printable
from search.llm.reply import Call, Client, Messages, Reply

CALL = "call-"  # recorded calls are call-1.json, call-2.json, ...
ANSWER = "answer-"  # what the harness told about the reply of that number, where it asked for something
PROPOSAL = "proposal.json"  # how their conversation ended


class Recorder:
    """Writes every reply to disk before it is read, and answers from disk what is already there, so nothing is paid
    twice.

    A trial's calls lie in `folder / "0007"`, as `call-1.json` (all of it), `prompt-1.md` and `reply-1.md` (to read), with
    `answer-1.json` for what the harness told about a reply that asked for something, and `proposal.json` for how the
    conversation ended. Everything here raises UserError where the disk does not take it.
    """

    def __init__(self, client: Client, folder: Path, begun: int = 0, role: str = "") -> None:
        """`begun`: of so many trials the calls were made in earlier starts. `role`: the name of a folder in a trial's, where
        several LLMs are asked for one trial."""
        self.client = client
        self.folder = folder
        self.begun = begun
        self.role = role

    def of(self, role: str) -> Recorder:
        """A recorder of another role's calls."""
        return Recorder(self.client, self.folder, self.begun, role)

    def recorded(self, number: int, call: int) -> Call | None:
        """A call that was made before this process began. Raises UserError if one was made that cannot be read now."""
        path = self._place(number) / f"{CALL}{call + 1}.json"
        if not path.is_file():
            if number < self.begun and call < self._calls(number):
                raise lost(path, number, "it is missing")
            return None
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
            return Call(Reply(**whole["reply"]), whole["program_md"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise lost(path, number, f"{type(error).__name__}: {error}") from error

    def _calls(self, number: int) -> int:
        """How many calls the conversation of a trial took that was started."""
        path = self._place(number) / PROPOSAL
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["calls"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise lost(path, number, f"{type(error).__name__}: {error}") from error

    def complete(self, number: int, messages: Messages, program: str | None, ask: int, call: int) -> Call:
        """Make a call. `program`: the text of program.md, where its messages hold that. Raises as Client.complete."""
        reply = self.client.complete(messages, ask, call)
        program_md = "" if program is None else hashlib.sha256(program.encode()).hexdigest()[:12]
        prompt = "\n\n".join(f"# {message['role']}\n\n{message['content']}" for message in messages)
        whole = {"ask": ask, "call": call, "program_md": program_md, "messages": list(messages), "reply": reply.record()}
        self._keep(number, f"prompt-{call + 1}.md", printable(prompt))
        thought = f"# reasoning\n\n{reply.reasoning}\n\n# reply\n\n" if reply.reasoning else ""
        self._keep(number, f"reply-{call + 1}.md", printable(thought + reply.text))
        if program is not None and not (self.folder / f"program-{program_md}.md").is_file():
            _write(self.folder / f"program-{program_md}.md", program)
        self._keep(number, f"{CALL}{call + 1}.json", json.dumps(whole, indent=1))  # last: what it says is then complete
        return Call(reply, program_md)

    def told(self, number: int, call: int) -> str | None:
        """What the harness told about the reply to a call, as the next call quotes it. Raises UserError if there is such a
        call, but this record of it cannot be read."""
        path = self._place(number) / f"{ANSWER}{call + 1}.json"
        if not path.is_file():
            if (self._place(number) / f"{CALL}{call + 2}.json").is_file():
                raise lost(path, number, "it is missing")
            return None
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["text"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise lost(path, number, f"{type(error).__name__}: {error}") from error

    def tell(self, number: int, call: int, text: str) -> str:
        """Record what the reply to a call is told before anybody else reads it, and return it."""
        self._keep(number, f"{ANSWER}{call + 1}.json", json.dumps({"call": call, "text": text}, indent=1))
        return text

    def end(self, number: int, ask: int, calls: int, problem: str) -> None:
        """Note how a conversation ended; `problem` is empty if it made a program."""
        how = {"ask": ask, "calls": calls, "usable": not problem, "problem": problem}
        self._keep(number, PROPOSAL, json.dumps(how, indent=1))

    def _keep(self, number: int, name: str, text: str) -> None:
        _write(self._place(number) / name, text)

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:04d}" / self.role


def lost(path: Path, number: int, why: str) -> UserError:
    """The message for a record that has been lost."""
    return UserError(
        f"{path}: cannot be read ({why}): what trial {number} was made of is lost.\n"
        "Restore it from a copy (MLflow has it as that trial's conversation), or use another experiment="
    )


def records(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """The recorded JSON files of that name below a folder. Raises OSError, ValueError."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob(pattern)]


def _write(path: Path, text: str) -> None:
    """Whole and on the disk, or not at all. Raises UserError."""
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise unwritable(path, error) from error
