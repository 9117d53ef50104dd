"""A conversation with a language model: what was said so far, what it cost, and how much room is left."""

from __future__ import annotations

import random
from collections.abc import Sequence

from agents.lm import Completion, Constraint, Failure, LanguageModel, Message, Request, Usage


class NoAnswerError(Exception):
    """The model did not answer; the reason is for the record. Never leaves a debater."""

    def __init__(self, failure: Failure) -> None:
        retries = f" after {failure.retries} retries" if failure.retries else ""
        super().__init__(f"the language model gave no answer: {failure.kind}{retries}: {failure.reason}")


TEMPLATE_TOKENS = 16
"""What a chat template puts round a message, at most."""


def fits(lm: LanguageModel, messages: Sequence[Message], tokens: int) -> bool:
    """Whether so many tokens can follow on the messages; the model counts only where their bytes do not settle it."""
    return _most(messages) + tokens <= lm.context_tokens or lm.count_tokens(messages) + tokens <= lm.context_tokens


def _most(messages: Sequence[Message]) -> int:
    """No token has less than a byte."""
    return sum(len(message.text.encode("utf-8", "replace")) + TEMPLATE_TOKENS for message in messages)


class Conversation:
    """Turns of a user and a model, strictly in turn, as chat templates ask for it; begun by the user.

    What the model says enters the conversation only by `say`, in whatever form the caller wants it remembered.
    """

    def __init__(self, lm: LanguageModel, opening: str, *, temperature: float = 1.0) -> None:
        self.usage = Usage()
        self._lm, self._temperature = lm, temperature
        self._messages = [Message("user", opening)]
        self._read, self._tokens = 0, 0  # the messages that were read last, and what the model counted

    def tell(self, text: str) -> None:
        """The user's next words; after words that were not answered, a paragraph more of the same message."""
        text = text.rstrip()
        last = self._messages[-1]
        if last.role == "user":
            self._messages[-1] = Message("user", f"{last.text}\n\n{text}")
        else:
            self._messages.append(Message("user", text))

    def say(self, text: str) -> None:
        """The model's words, as they are to be remembered."""
        self._messages.append(Message("assistant", text))

    def has_room(self, tokens: int) -> bool:
        """Whether so many tokens can follow on what was said so far."""
        if self._tokens and self._tokens + _most(self._messages[self._read :]) + tokens <= self._lm.context_tokens:
            return True
        return fits(self._lm, self._messages, tokens)

    def ask(self, constraint: Constraint, max_tokens: int, rng: random.Random) -> Completion:
        """The model's next words; NoAnswerError, with the reason, where there are none."""
        return self.ask_for(1, constraint, max_tokens, rng)[0]

    def ask_for(self, samples: int, constraint: Constraint, max_tokens: int, rng: random.Random) -> list[Completion]:
        """Several samples of the model's next words, those that came; NoAnswerError where none did."""
        messages, seed = tuple(self._messages), rng.getrandbits(31)
        replies = self._lm.complete(
            [Request(messages, constraint, max_tokens, self._temperature, seed, sample) for sample in range(samples)]
        )
        self.usage = sum(map(Usage.of, replies), self.usage)
        came = [reply for reply in replies if isinstance(reply, Completion)]
        if not came:
            raise NoAnswerError(next(reply for reply in replies if isinstance(reply, Failure)))
        self._read, self._tokens = len(messages), came[0].prompt_tokens
        return came
