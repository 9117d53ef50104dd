"""A conversation as the tokens that a local model reads: its own chat template, or a plain one where it has none.

What stands in a message stays text: a special token spelt there ("<|end|>") gets a space, or a corpus could close the
user's turn and speak for the assistant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from agents.lm import Message, Role

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PLAIN: dict[Role, str] = {"system": "System", "user": "User", "assistant": "Assistant"}
"""The plain template: a line of the role's name and a colon, the text, an empty line; at the end `Assistant:`."""

PLAIN_STOPS = ("\nUser:", "\nSystem:")
"""Where an answer under the plain template ends: a model that knows no turns goes on writing the user's."""

NEW_YEAR = {
    "%d": "01",
    "%m": "01",
    "%b": "Jan",
    "%B": "January",
    "%Y": "2025",
    "%A": "Wednesday",
    "%H": "00",
    "%M": "00",
}
"""The day on which all conversations take place: some templates tell the date, on which no answer may depend."""

_CLOCK = (
    "{%- macro strftime_now(format) -%}{{ format"
    + "".join(f" | replace('{code}', '{value}')" for code, value in NEW_YEAR.items())
    + " }}{%- endmacro -%}"
)
_PROBE = "probe-7f3a"


class Conversation:
    """Makes token ids of messages with a tokeniser; `notes` says what a reader of results should know about how.

    >>> Conversation(tokenizer).ids([Message("user", "Hello")])  # doctest: +SKIP
    [0, 4, 204, 1331, 1, 204, 5, 204]
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self.plain = not tokenizer.chat_template
        self._special = _inert(tokenizer)
        self._system = not self.plain and self._takes_system()
        opening = tokenizer("")["input_ids"]
        self._begin = opening[:1] if tokenizer.bos_token_id in opening[:1] else []
        notes = []
        if self.plain:
            notes.append("no chat template: roles are named on lines of their own")
        elif not self._system:
            notes.append("a chat template without a system role: its text opens the user's first message")
        self.notes = tuple(notes)

    @property
    def stops(self) -> tuple[str, ...]:
        """What ends free text beside the model's own end and what a request says."""
        return PLAIN_STOPS if self.plain else ()

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """The conversation up to where the assistant begins to speak.

        Raises ValueError where the model's own template refuses it, with the template's words.
        """
        rendered = self.render(messages)
        own: list[int] = self._tokenizer(rendered, add_special_tokens=False)["input_ids"]
        return [*self._begin, *own] if self.plain else own

    def render(self, messages: Sequence[Message]) -> str:
        """The text that is made into tokens."""
        from jinja2 import TemplateError

        said = [Message(message.role, self._special.sub(_opened, well_formed(message.text))) for message in messages]
        if self.plain:
            return "".join(f"{PLAIN[message.role]}:\n{message.text}\n\n" for message in said) + "Assistant:\n"
        try:
            return self._templated(said if self._system else _without_system(said))
        except TemplateError:  # some want user and assistant to take turns
            try:
                return self._templated(_taking_turns(_without_system(said)))
            except TemplateError as error:
                raise ValueError(f"the model's chat template refuses the conversation: {error}") from error

    def _takes_system(self) -> bool:
        from jinja2 import TemplateError

        try:
            return _PROBE in self._templated([Message("system", _PROBE), Message("user", "?")])
        except TemplateError:
            return False

    def _templated(self, messages: Sequence[Message]) -> str:
        # Some think aloud before they answer unless told not to; under a grammar there is no room for that.
        template = self._tokenizer.get_chat_template()
        rendered: Any = self._tokenizer.apply_chat_template(
            [{"role": message.role, "content": message.text} for message in messages],
            chat_template=_CLOCK + template if "strftime_now" in template else template,
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        assert isinstance(rendered, str)
        return rendered


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """System texts as the beginning of the user's first message."""
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    if not system:
        return rest
    if rest and rest[0].role == "user":
        return [Message("user", f"{system}\n\n{rest[0].text}"), *rest[1:]]
    return [Message("user", system), *rest]


def _taking_turns(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role as one message."""
    groups = groupby(messages, key=lambda message: message.role)
    return [Message(role, "\n\n".join(message.text for message in group)) for role, group in groups]


def _inert(tokenizer: PreTrainedTokenizerFast) -> re.Pattern[str]:
    """Finds what the tokeniser would read as a token of its own kind, such as the end of a turn."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()} | set(tokenizer.all_special_tokens)
    spelt = sorted(
        (text for text in added if len(text) > 1 and not text.isspace()), key=lambda text: (-len(text), text)
    )
    return re.compile("|".join(map(re.escape, spelt)) or r"(?!)")


def well_formed(text: str) -> str:
    """A text without halves of surrogate pairs, which no tokeniser takes.

    >>> ascii(well_formed("a\\ud800b"))
    "'a\\\\ufffdb'"
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _opened(found: re.Match[str]) -> str:
    return f"{found[0][0]} {found[0][1:]}"
