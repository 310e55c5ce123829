"""Detects that a server has silently cut a prompt: it then counts far fewer tokens than it was sent."""

from __future__ import annotations

from search.config.messages import UserError
from search.llm.reply import Messages

SHORT = 4_000  # characters; what is shorter says too little about characters per token
# English and Python come to 3 to 4.5 characters a token in today's tokenizers.
IMPOSSIBLE = 6.0  # characters a token
# A prompt that just fills a context is likely to have been cut to it: Ollama then counts exactly the context's length.
CONTEXTS = tuple(2**power for power in range(11, 18))
DOUBTFUL = 4.5  # characters a token


def refuse_cut(messages: Messages, tokens: int | None, server: str) -> None:
    """Raises UserError if the server's count shows that it has cut the messages. `tokens`: that count; None or 0 if it
    gives none."""
    characters = sum(len(message["content"]) for message in messages)
    most = DOUBTFUL if tokens in CONTEXTS else IMPOSSIBLE
    if not tokens or characters < SHORT or characters <= most * tokens:
        return
    raise UserError(
        f"llm: {server} read {tokens:,} tokens of a prompt of {characters:,} characters: it silently cuts prompts.\n"
        "Give it a longer context (Ollama: OLLAMA_CONTEXT_LENGTH=32768 ollama serve), and run the same command again"
    )
