"""Why a server gave no vectors, and the error that says so. Not whether to ask again: see http.py."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nearsense.encoders.http import Answer
from nearsense.encoders.wire import message_of
from nearsense.errors import InputError, ModelError, ModelNotFound, TextTooLong

__all__ = ["Refusal", "RemoteTextTooLong", "hopeless", "refused", "too_long"]

TOO_LONG = re.compile(
    r"context.?length|maximum.{0,20}tokens|(text|input|prompt|sequence)s?\b.{0,40}too long|too many tokens|n_ctx"
    r"|less than \d+ tokens|too large to process|exceed\w*.{0,40}(context|token|length)|context (size|window)",
    re.IGNORECASE,
)
TOO_MANY = re.compile(
    r"per.request|batch.?size|array too long|too many (inputs|items)|at most \d+ items", re.IGNORECASE
)
NO_CREDIT = re.compile(r"insufficient_quota|billing_hard_limit|exceeded your current quota", re.IGNORECASE)
FORMAT = re.compile(r"encoding_format|base64", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a server did not give vectors, as far as its words tell.

    Args:
        status: The HTTP status.
        message: Its words, on one line.
        too_many: One request asks for more than the server takes at a time.
        too_long: A text is longer than the model reads.
        no_credit: The account has nothing left.
        wrong_format: It does not know base64.
        position: Which text of the request, or -1.
        tokens: How many tokens that text has; 0 where it is not told.
        limit: How many the model reads; 0 where it is not told.
        location: Where it redirects to, without what may follow a path.
    """

    status: int
    message: str
    too_many: bool = False
    too_long: bool = False
    no_credit: bool = False
    wrong_format: bool = False
    position: int = -1
    tokens: int = 0
    limit: int = 0
    location: str = ""

    @classmethod
    def of(cls, answer: Answer) -> Refusal:
        """Read an answer that is no success.

        Example:
            >>> said = b'{"error": {"message": "Invalid input[3]: maximum context length is 8192 tokens."}}'
            >>> refusal = Refusal.of(Answer(400, {}, said))
            >>> refusal.too_long, refusal.position, refusal.limit
            (True, 3, 8192)
        """
        status, message = answer.status, message_of(answer.body)
        words = answer.body[:16384].decode("utf-8", "replace")  # with the codes, which the message does not repeat
        bad = status in (400, 413, 422, 500)
        too_many = bad and bool(TOO_MANY.search(words))
        too_long = bad and bool(TOO_LONG.search(words)) and not too_many
        return cls(
            status,
            message,
            too_many=too_many or (status == 413 and not too_long),
            too_long=too_long,
            no_credit=status in (402, 403, 429) and bool(NO_CREDIT.search(words)),
            wrong_format=status in (400, 422) and bool(FORMAT.search(words)),
            position=_number(r"input\[(\d{1,6})\]", words, -1),
            tokens=_number(r"(?:requested|resulted in|given:|got|prefill|has) (\d{1,9})\b", message, 0),
            limit=_number(r"(?:length is|less than|maximum of|max) (\d{1,9})\b", message, 0),
            location=_without_query(answer.headers.get("location", "")),
        )

    @property
    def of_tokens(self) -> bool:
        """Whether it is about tokens rather than a number of texts."""
        return "token" in self.message.lower()


def _number(pattern: str, text: str, otherwise: int) -> int:
    found = re.search(pattern, text, re.IGNORECASE)
    return int(found[1]) if found else otherwise


def _without_query(address: str) -> str:
    return "".join(letter for letter in re.split(r"[?#]", address)[0] if letter.isprintable())[:200]


def hopeless(answer: Answer) -> bool:
    """Whether an answer of a kind that passes will not: no credit, or a size that a server calls its own fault."""
    refusal = Refusal.of(answer)
    return refusal.no_credit or refusal.too_long or refusal.too_many


class RemoteTextTooLong(TextTooLong):
    """A text that a server refused; `position` is its place among the texts of the call."""

    position = -1

    def moved(self, position: int) -> RemoteTextTooLong:
        """The same, where the text has another place."""
        what = self.what.replace(f"text {self.position:,} ", f"text {position:,} ", 1)
        other = RemoteTextTooLong(what, why=self.why, fix=self.fix)
        other.position = position
        return other


def too_long(refusal: Refusal, position: int, who: str, limit: int) -> RemoteTextTooLong:
    """The error for a text that the server found too long.

    Args:
        refusal: What the server said.
        position: The text's place in the call.
        who: The model and its host.
        limit: The tokens that the model reads, where they are known; else 0.
    """
    size = f"has {refusal.tokens:,} tokens" if refusal.tokens else "is too long"
    limit = refusal.limit or limit
    error = RemoteTextTooLong(
        f"text {position:,} {size} for {who}",
        why=f"the model reads {limit:,} tokens at most" if limit else f"the server says: {refusal.message}",
        fix="shorten it, or split it into several texts: nothing is cut here",
    )
    error.position = position
    return error


_REFUSALS: dict[int, tuple[type[ModelError], str, str]] = {
    403: (ModelError, "may not be used with this key", "ask the account's owner, or use another model"),
    404: (
        ModelNotFound,
        "is not there",
        "check the model's name, and that the address ends where /embeddings begins",
    ),
}

_OTHER = (ModelError, "refused", "check the options against what the server says")


def refused(refusal: Refusal, position: int, who: str, variable: str, keyed: bool) -> InputError | ModelError:
    """The error for an answer that is no success, and no question of size.

    Args:
        refusal: What the server said.
        position: The place in the call of the text that it names; -1 where it names none.
        who: The model and its host.
        variable: The environment variable of the key.
        keyed: Whether a key was sent.
    """
    says = f"the server says: {refusal.message}"
    if position >= 0 and refusal.status in (400, 422):
        return InputError(f"text {position:,} is refused by {who}", why=says, fix="leave it out")
    if 300 <= refusal.status < 400:
        return ModelError(
            f"{who} wants to redirect to {refusal.location!r}",
            why="it is not followed, so that texts and key go nowhere else",
            fix="give that address as the base URL if it is the right one",
        )
    if refusal.status == 401 and not keyed:
        return ModelError(f"{who} asks for a key", why=f"{variable} is not set", fix=f"export {variable}=...")
    if refusal.status == 401:
        return ModelError(
            f"{who}: the key in {variable} was refused",
            why="it is not valid there",
            fix="get a valid key, or check that the address is the one it is for",
        )
    if refusal.no_credit:
        return ModelError(f"{who}: the account has no credit left", why=says, fix="add to it, or raise its limit")
    kind, what, fix = _REFUSALS.get(refusal.status, _OTHER)
    return kind(f"{who} {what} (status {refusal.status})", why=says, fix=fix)
