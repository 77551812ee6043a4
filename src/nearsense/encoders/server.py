"""What is said to a server of the OpenAI embeddings API, how it travels, what the answers mean. See remote.py."""

from __future__ import annotations

import base64
import binascii
import json
import os
import random
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearsense._forks import lock
from nearsense._version import __version__
from nearsense.errors import InputError, ModelError, ModelNotFound, TextTooLong

if TYPE_CHECKING:
    import httpx2
    from numpy.typing import NDArray

SHOWN = 300  # characters of a server's words that a message repeats
SECRET = 8  # letters that a key has at least

REPEATED = frozenset({408, 429, 500, 502, 503, 504})  # states of a server that pass

BACKOFF = (0.5, 30.0)
"""Seconds before the second try, and at most; each try doubles them, and chance takes up to half away."""

STRANGER_TRIES = 5  # how often a server is called that has never answered: it rather does not exist than rests

LONGEST_HOLD = 60.0
"""Seconds that `x-ratelimit-reset-...` can hold requests back: it tells when all is free, not when some is."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a server at a time, and for how long."""

    texts: int = 2048  # in one request
    tokens: int = 300_000  # in one request, by an estimate that rather errs above: a token for 3 bytes
    flights: int = 4  # requests on their way at the same time
    timeout: float = 60.0  # seconds without a byte after which a try is given up
    deadline: float = 600.0  # seconds for one request with all its tries and waits

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Limits:
        """The defaults, or what `NEARSENSE_REMOTE_TEXTS`, `..._TOKENS`, `..._FLIGHTS` and so on say.

        >>> Limits.read({"NEARSENSE_REMOTE_TEXTS": "32"}).texts
        32
        """
        environment = os.environ if environment is None else environment
        limits = cls()
        for name in (each.name for each in fields(cls)):
            if word := environment.get(variable := f"NEARSENSE_REMOTE_{name.upper()}", "").strip():
                if not (word.isascii() and word.isdecimal() and 0 < int(word[:12]) < 10**9):
                    raise InputError(f"{variable}={word!r} is no whole number from 1 up", fix=f"{variable}=4")
                limits = replace(limits, **{name: type(getattr(limits, name))(word)})
        return limits


@dataclass(frozen=True, slots=True)
class Usage:
    """What an encoder has taken from its server so far, as the answers say: those that did not arrive not counted.

    >>> print(Usage(12, 3400, 81_230, 0.0016))
    12 requests, 3,400 texts, 81,230 tokens, about $0.0016
    """

    requests: int = 0  # that were answered with vectors
    texts: int = 0
    tokens: int = 0  # that the server counted in these texts
    cost: float | None = None  # US dollars; None where the price, or a count, is not known

    def __str__(self) -> str:
        counts = ((self.requests, "request"), (self.texts, "text"), (self.tokens, "token"))
        parts = [f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counts]
        if self.cost is not None:
            parts.append("less than $0.0001" if 0 < self.cost < 0.0001 else f"about ${self.cost:,.4f}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said; headers by name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def question(model: str, texts: Sequence[str], dimensions: int | None, encoding: str) -> bytes:
    """The body of a request.

    >>> question("m", ["hello"], None, "base64")
    b'{"model":"m","input":["hello"],"encoding_format":"base64"}'
    """
    asked: dict[str, Any] = {"model": model, "input": list(texts), "encoding_format": encoding}
    if dimensions is not None:
        asked["dimensions"] = dimensions
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()


def vectors_of(body: bytes, count: int, dimension: int, who: str) -> tuple[NDArray[np.float32], int | None]:
    """The vectors of a reply in the order of their texts, and the tokens that it charges, where it says.

    float32, shape (count, dimension), all finite; where `dimension` is 0 any length will do.
    """

    def refused(what: str, why: str) -> ModelError:
        fix = "check that the address and the model are those of an embeddings API"
        return ModelError(f"{who} {what}", why=why, fix=fix)

    reply = _json(body)
    items = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(items, list):
        why = f"it says: {message_of(body)}" if body.strip() else "the answer is empty"
        raise refused("answers, but not with vectors", why)
    if len(items) != count:
        raise refused(f"gives {len(items):,} vectors for {count:,} texts", "each text needs its own")
    places: list[Any] = [item.get("index") if isinstance(item, dict) else None for item in items]
    if any(type(place) is not int for place in places) or sorted(places) != list(range(count)):
        why = "nobody can say which text each belongs to"
        raise refused(f"does not number its {count:,} vectors from 0 on", why)
    rows: list[Any] = [None] * count
    for place, item in zip(places, items, strict=True):
        row = _vector(item.get("embedding"))
        if row is None:
            raise refused(f"gives no vector for text {place} of a request", "neither a list of numbers nor base64")
        if not np.isfinite(row).all():
            raise refused(f"gives no finite vector for text {place} of a request", "a number is NaN or infinite")
        rows[place] = row
    dimension = dimension or (len(rows[0]) if rows else 0)
    for place, row in enumerate(rows):
        if len(row) != dimension or not dimension:
            why = f"its vectors have {dimension or 1:,} dimensions" + (" or more" if not dimension else "")
            raise refused(f"gives {len(row):,} numbers for text {place} of a request", why)
    usage = reply.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    data = np.array(rows, np.float32).reshape(count, dimension)
    return data, tokens if type(tokens) is int and tokens >= 0 else None


def _vector(value: Any) -> NDArray[np.float32] | None:
    """A vector that came as base64 of little-endian float32, or as a list of numbers; None where it is neither."""
    row: NDArray[Any] | None = None
    try:
        if isinstance(value, str):
            row = np.frombuffer(base64.b64decode(value, validate=True), "<f4")
        elif isinstance(value, list):
            row = np.asarray(value)
    except (ValueError, binascii.Error, OverflowError):
        return None
    if row is None or row.ndim != 1 or (row.dtype.kind not in "iuf" and row.size):
        return None
    with np.errstate(all="ignore"):
        return row.astype(np.float32)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def message_of(body: bytes) -> str:
    """What a server says went wrong, on one short line: the message of its JSON, or how its text begins.

    >>> message_of(b'{"error": {"message": "no such model", "code": null}}')
    'no such model'
    >>> message_of(b"<html>Bad gateway</html>")
    'no JSON, it begins with <html>Bad gateway</html>'
    """
    reply = _json(body)
    found = reply.get("error", reply) if isinstance(reply, dict) else reply
    for name in ("message", "detail", "error"):
        if isinstance(found, dict) and isinstance(found.get(name), (str, dict)):
            found = found[name]
    if reply is None:
        text = body[: 8 * SHOWN].decode("utf-8", "replace")
        text = f"no JSON, it begins with {text}" if text.strip() else "nothing at all"
    else:
        text = found if isinstance(found, str) else json.dumps(found)[: 2 * SHOWN]
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 8 * SHOWN])
    line = " ".join(line.split())
    return line if len(line) <= SHOWN else line[:SHOWN] + " ..."


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
    """Why a server did not give vectors, as far as its words tell."""

    status: int
    message: str  # its words, on one line
    too_many: bool = False  # one request asks for more than the server takes at a time
    too_long: bool = False  # a text is longer than the model reads
    no_credit: bool = False  # the account has nothing left
    wrong_format: bool = False  # it does not know base64
    position: int = -1  # which text of the request; -1 for none
    tokens: int = 0  # of that text; 0 where it is not told
    limit: int = 0  # tokens that the model reads; 0 where it is not told
    location: str = ""  # where it redirects to, without what may follow a path

    @classmethod
    def of(cls, reply: Reply) -> Refusal:
        """Read a reply that is no success."""
        status, message, location = reply.status, message_of(reply.body), reply.headers.get("location", "")
        words = reply.body[:16384].decode("utf-8", "replace")  # with the codes, which the message does not repeat
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
            location="".join(filter(str.isprintable, re.split(r"[?#]", location)[0]))[:200],
        )

    @property
    def of_tokens(self) -> bool:
        """Whether it is about tokens rather than a number of texts."""
        return "token" in self.message.lower()

    @property
    def hopeless(self) -> bool:
        """Whether it stays, whatever its status: no credit, or a size that a server calls its own fault."""
        return self.no_credit or self.too_long or self.too_many


def _number(pattern: str, text: str, otherwise: int) -> int:
    found = re.search(pattern, text, re.IGNORECASE)
    return int(found[1]) if found else otherwise


class RemoteTextTooLong(TextTooLong):
    """A text that a server refused; `position` is its place among the texts of the call."""

    position = -1

    def at_position(self, position: int) -> RemoteTextTooLong:
        """The same, where the text has another place."""
        what = self.what.replace(f"text {self.position:,} ", f"text {position:,} ", 1)
        other = RemoteTextTooLong(what, why=self.why, fix=self.fix)
        other.position = position
        return other


def too_long(refusal: Refusal, position: int, who: str, limit: int) -> RemoteTextTooLong:
    """The error for a text that the server found too long; `limit` in tokens, 0 where not known."""
    size = f"has {refusal.tokens:,} tokens" if refusal.tokens else "is too long"
    limit = refusal.limit or limit
    error = RemoteTextTooLong(
        f"text {position:,} {size} for {who}",
        why=f"the model reads {limit:,} tokens at most" if limit else f"the server says: {refusal.message}",
        fix="shorten it, or split it into several texts: nothing is cut here",
    )
    error.position = position
    return error


def refusal_error(refusal: Refusal, position: int, who: str, key: Key) -> InputError | ModelError:
    """The error for a reply that is no success, and no question of size; position -1 names no text."""
    status, says = refusal.status, f"the server says: {refusal.message}"
    if position >= 0 and status in (400, 422):
        return InputError(f"text {position:,} is refused by {who}", why=says, fix="leave it out")
    if 300 <= status < 400:
        what = f"{who} wants to redirect to {refusal.location!r}"
        why = "it is not followed, so that texts and key go nowhere else"
        return ModelError(what, why=why, fix="give that address as the base URL if it is the right one")
    if status == 401 and not key:
        return ModelError(
            f"{who} asks for a key", why=f"{key.variable} is not set", fix=f"export {key.variable}=..."
        )
    if status == 401:
        fix = "get a valid key, or check that the address is the one it is for"
        return ModelError(f"{who}: the key in {key.variable} was refused", why="it is not valid there", fix=fix)
    if refusal.no_credit:
        return ModelError(f"{who}: the account has no credit left", why=says, fix="add to it, or raise its limit")
    if status == 403:
        fix = "ask the account's owner, or use another model"
        return ModelError(f"{who} may not be used with this key (status 403)", why=says, fix=fix)
    if status == 404:
        fix = "check the model's name, and that the address ends where /embeddings begins"
        return ModelNotFound(f"{who} is not there (status 404)", why=says, fix=fix)
    fix = "check the options against what the server says"
    return ModelError(f"{who} refused (status {status})", why=says, fix=fix)


class Key:
    """An API key that is neither printed nor pickled; a copy elsewhere reads its own environment."""

    __slots__ = ("_value", "variable")

    def __init__(self, variable: str) -> None:
        self.variable, self._value = variable, os.environ.get(variable, "").strip()
        if not (self._value.isascii() and self._value.isprintable()) or " " in self._value:
            why = "a key is one word of plain ASCII"
            fix = "copy it again, without quotation marks or line breaks"
            raise ModelError(f"{variable} holds characters that no key has", why=why, fix=fix)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Key({self.variable!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return Key, (self.variable,)

    def headers(self) -> dict[str, str]:
        """What proves it to a server; nothing where there is no key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hidden(self, words: bytes) -> bytes:
        """What a server sent, without the key; a word as short as `none` is no secret."""
        return words.replace(self._value.encode(), b"***") if len(self._value) >= SECRET else words


class Transport:
    """Posts JSON to one address, again where that may help. Safe to use from several threads, which share it.

    Redirects are never followed, so that the key goes to no other host. Where a server says when to come back
    (`Retry-After`, or `x-ratelimit-*` headers with nothing left), all threads wait as long. `clock`, `sleep` and
    `chance` tell and spend time.
    """

    def __init__(
        self,
        url: str,
        key: Key,
        *,
        who: str,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url, self.key, self._who = url, key, who
        self._timeout, self._deadline = limits.timeout, limits.deadline
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._lock, self._clients = lock(), dict[int, "httpx2.Client"]()
        self._held, self._met = float("-inf"), False

    def post(self, body: bytes, *, cap: int, stop: threading.Event) -> Reply:
        """Send JSON until there is a reply that stays, of `cap` bytes at most; `stop` ends all waiting."""
        ends, tries = self._clock() + self._deadline, 0
        last = "it has not been asked yet: it wanted a pause before"
        while True:
            if self._held > ends:
                raise self._gave_up(tries, last)
            self._wait(self._held, stop)
            outcome, pause = self._try(body, cap, ends), None
            tries += 1
            if isinstance(outcome, Reply):
                self._met = True
                self._heed_limits(outcome)
                if outcome.status not in REPEATED or Refusal.of(outcome).hopeless:
                    return outcome
                last, pause = f"status {outcome.status}, {message_of(outcome.body)}", _retry_after(outcome)
            else:
                last = outcome
                if not self._met and tries >= STRANGER_TRIES:
                    raise self._gave_up(tries, last)
            until = self._clock() + (self._backoff(tries) if pause is None else max(pause, BACKOFF[0]))
            if until > ends:
                asked = f", and it asks to wait {pause:,.0f} s" if pause is not None else ""
                raise self._gave_up(tries, last + asked)
            if pause is not None:
                self._hold(until)
            self._wait(until, stop)

    def _try(self, body: bytes, cap: int, ends: float) -> Reply | str:
        """One try: the reply, or why there is none."""
        import httpx2

        patience = max(0.001, min(self._timeout, ends - self._clock()))
        headers = {**self.key.headers(), "Content-Type": "application/json", "Accept": "application/json"}
        timeout = httpx2.Timeout(patience, connect=min(patience, 10.0))
        chunks, size, whole = [], 0, False
        try:
            with self._client().stream(
                "POST", self.url, content=body, headers=headers, timeout=timeout
            ) as response:
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > cap or self._clock() > ends:
                        break
                else:
                    whole = True
            body = b"".join(chunks)
            if response.status_code != httpx2.codes.OK or b'"embedding"' not in body:
                body = self.key.hidden(body)  # what may be shown; vectors never are, and must stay as they are
            headers = {k.lower(): self.key.hidden(v.encode()).decode() for k, v in response.headers.items()}
            reply = Reply(response.status_code, headers, body)
        except httpx2.ConnectError as error:
            return f"no connection: {error}"
        except httpx2.TimeoutException:
            return f"no answer in {patience:,.3g} s"
        except (httpx2.InvalidURL, UnicodeError):
            raise ModelError(f"{self._who}: no host can have that name", fix="check the address") from None
        except (httpx2.RequestError, httpx2.StreamError) as error:
            return f"the connection broke: {str(error) or type(error).__name__}"
        if size > cap:
            why = "so many are not in the vectors that were asked for"
            fix = "check that the address is that of an embeddings API"
            raise ModelError(f"{self._who} sends more than {cap:,} bytes", why=why, fix=fix)
        return reply if whole else "the answer was still coming at the deadline"

    def _client(self) -> httpx2.Client:
        """The connections of this process: a forked one must not talk through its parent's."""
        import httpx2

        with self._lock:
            if (client := self._clients.get(os.getpid())) is None:
                limits = httpx2.Limits(max_connections=None, max_keepalive_connections=16, keepalive_expiry=30.0)
                headers = {"User-Agent": f"nearsense/{__version__}", "Accept-Encoding": "identity"}
                client = httpx2.Client(follow_redirects=False, headers=headers, limits=limits)
                self._clients[os.getpid()] = client
                weakref.finalize(self, client.close)
            return client

    def _gave_up(self, tries: int, last: str) -> ModelError:
        times = "1 try" if tries == 1 else f"{tries:,} tries"
        fix = "try again later" if self._met else "check the address, and that the server runs"
        return ModelError(f"{self._who} gave no vectors in {times}", why=f"the last: {last}", fix=fix)

    def _backoff(self, tries: int) -> float:
        first, most = BACKOFF
        return float(min(most, first * 2 ** min(tries - 1, 16)) * (1 - self._chance() / 2))

    def _heed_limits(self, reply: Reply) -> None:
        for what in ("requests", "tokens"):
            if reply.headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0":
                reset = _seconds(reply.headers.get(f"x-ratelimit-reset-{what}", ""))
                self._hold(self._clock() + min(reset, LONGEST_HOLD))

    def _hold(self, until: float) -> None:
        with self._lock:
            self._held = max(self._held, until)

    def _wait(self, until: float, stop: threading.Event) -> None:
        if (left := until - self._clock()) > 0:
            (self._sleep or stop.wait)(left)
        if stop.is_set():
            raise ModelError(f"{self._who}: the work was given up")


def _seconds(word: str) -> float:
    """A duration as rate limits tell it: `"6m0s"`, `"12ms"`, `"17"`; 0 where it is none.

    >>> _seconds("1m30.5s"), _seconds("12ms"), _seconds("17"), _seconds("soon")
    (90.5, 0.012, 17.0, 0.0)
    """
    word = word.strip().lower()
    number = r"\d{1,9}(?:\.\d{1,9})?"
    if re.fullmatch(number, word):
        return float(word)
    if not re.fullmatch(rf"(?:{number}(?:ms|[smhd]))+", word):
        return 0.0
    return sum(float(count) * UNITS[unit] for count, unit in re.findall(rf"({number})(ms|[smhd])", word))


def _retry_after(reply: Reply) -> float | None:
    """Seconds to wait as the server says, a date counted from its own clock; None where it does not say."""
    word = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", word):
        return float(word)
    if (then := _timestamp(word)) is None:
        return None
    now = _timestamp(reply.headers.get("date", ""))
    return max(0.0, then - (time.time() if now is None else now))


def _timestamp(date: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


J = TypeVar("J")
R = TypeVar("R")


def run_concurrently(
    work: Callable[[J], R], jobs: Iterable[J], count: int, stop: threading.Event
) -> Generator[tuple[J, R], None, None]:
    """Each job with its result, in the order in which they are done; `count` are under way at a time.

    Each has a thread of its own, which does not keep the program from ending as a pool's would: a reply may be a
    minute away. The first error of any of them is raised here; `stop` is set in the end.
    """
    results: SimpleQueue[tuple[J, R] | BaseException] = SimpleQueue()

    def run(job: J) -> None:
        try:
            results.put((job, work(job)))
        except BaseException as error:
            results.put(error)

    waiting, under_way = iter(jobs), 0
    try:
        while True:
            for job in waiting:
                threading.Thread(target=run, args=(job,), daemon=True).start()
                under_way += 1
                if under_way >= count:
                    break
            if not under_way:
                return
            result = results.get()
            under_way -= 1
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
