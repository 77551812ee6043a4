"""Requests to a server, some at a time, each repeated until it is answered or hopeless.

Not what is asked: see wire.py.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from nearsense._forks import lock
from nearsense._version import __version__
from nearsense.encoders.wire import Answer, message_of
from nearsense.errors import ModelError

if TYPE_CHECKING:
    import httpx2


REPEATED = frozenset({408, 429, 500, 502, 503, 504})  # states of a server that pass

BACKOFF = (0.5, 30.0)
"""Seconds before the second try, and at most; each try doubles them, and chance takes up to half away."""

STRANGER_TRIES = 5  # how often a server is called that has never answered: it rather does not exist than rests

LONGEST_HOLD = 60.0
"""Seconds that `x-ratelimit-reset-...` can hold requests back: it tells when all is free, not when some is."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Key:
    """An API key that is neither printed nor pickled; a copy elsewhere reads its own environment."""

    __slots__ = ("_value", "variable")

    def __init__(self, variable: str) -> None:
        self.variable, self._value = variable, os.environ.get(variable, "").strip()
        if not (self._value.isascii() and self._value.isprintable()) or " " in self._value:
            raise ModelError(
                f"{variable} holds characters that no key has",
                why="a key is one word of plain ASCII",
                fix="copy it again, without quotation marks or line breaks",
            )

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


SECRET = 8  # letters that a key has at least


class Transport:
    """Posts JSON to one address. Safe to use from several threads, which share its connections and its patience.

    Redirects are never followed, so that the key goes to no other host. Where a server says when to come back
    (`Retry-After`, or `x-ratelimit-*` headers with nothing left), all threads wait as long. `timeout` is seconds
    without a byte, `deadline` seconds for a request with all its tries; `clock`, `sleep` and `chance` tell and
    spend time.
    """

    def __init__(
        self,
        url: str,
        key: Key,
        *,
        who: str,
        timeout: float = 60.0,
        deadline: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url, self.key, self._who = url, key, who
        self._timeout, self._deadline = timeout, deadline
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._lock, self._clients = lock(), dict[int, "httpx2.Client"]()
        self._held, self._met = float("-inf"), False

    def post(
        self, body: bytes, *, cap: int, is_hopeless: Callable[[Answer], bool], stop: threading.Event | None = None
    ) -> Answer:
        """Send JSON, again where that may help, until there is an answer (of `cap` bytes at most)."""
        stop = stop or threading.Event()
        ends, tries = self._clock() + self._deadline, 0
        last = "it has not been asked yet: it wanted a pause before"
        while True:
            if self._held > ends:
                raise self._gave_up(tries, last)
            self._wait(self._held, stop)
            outcome = self._try(body, cap, ends)
            tries += 1
            if isinstance(outcome, Answer):
                self._met = True
                self._heed_limits(outcome)
                if outcome.status not in REPEATED or is_hopeless(outcome):
                    return outcome
                last, pause = f"status {outcome.status}, {message_of(outcome.body)}", _retry_after(outcome)
            else:
                last, pause = outcome, None
                if not self._met and tries >= STRANGER_TRIES:
                    raise self._gave_up(tries, last)
            until = self._clock() + (self._backoff(tries) if pause is None else max(pause, BACKOFF[0]))
            if until > ends:
                asked = f", and it asks to wait {pause:,.0f} s" if pause is not None else ""
                raise self._gave_up(tries, last + asked)
            if pause is not None:
                self._hold(until)
            self._wait(until, stop)

    def _try(self, body: bytes, cap: int, ends: float) -> Answer | str:
        """One try: the answer, or why there is none."""
        import httpx2

        patience = max(0.001, min(self._timeout, ends - self._clock()))
        headers = {**self.key.headers(), "Content-Type": "application/json", "Accept": "application/json"}
        chunks, size, whole = [], 0, False
        try:
            with self._client().stream(
                "POST",
                self.url,
                content=body,
                headers=headers,
                timeout=httpx2.Timeout(patience, connect=min(patience, 10.0)),
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
            answer = Answer(response.status_code, headers, body)
        except httpx2.ConnectError as error:
            return f"no connection: {error}"
        except httpx2.TimeoutException:
            return f"no answer in {patience:,.3g} s"
        except (httpx2.InvalidURL, UnicodeError):
            raise ModelError(f"{self._who}: no host can have that name", fix="check the address") from None
        except (httpx2.RequestError, httpx2.StreamError) as error:
            return f"the connection broke: {str(error) or type(error).__name__}"
        if size > cap:
            raise ModelError(
                f"{self._who} sends more than {cap:,} bytes",
                why="so many are not in the vectors that were asked for",
                fix="check that the address is that of an embeddings API",
            )
        return answer if whole else "the answer was still coming at the deadline"

    def _client(self) -> httpx2.Client:
        """The connections of this process: a forked one must not talk through its parent's."""
        import httpx2

        with self._lock:
            if (client := self._clients.get(os.getpid())) is None:
                client = self._clients[os.getpid()] = httpx2.Client(
                    follow_redirects=False,
                    headers={"User-Agent": f"nearsense/{__version__}", "Accept-Encoding": "identity"},
                    limits=httpx2.Limits(
                        max_connections=None, max_keepalive_connections=16, keepalive_expiry=30.0
                    ),
                )
                weakref.finalize(self, client.close)
            return client

    def _gave_up(self, tries: int, last: str) -> ModelError:
        times = "1 try" if tries == 1 else f"{tries:,} tries"
        return ModelError(
            f"{self._who} gave no vectors in {times}",
            why=f"the last: {last}",
            fix="try again later" if self._met else "check the address, and that the server runs",
        )

    def _backoff(self, tries: int) -> float:
        first, most = BACKOFF
        return float(min(most, first * 2 ** min(tries - 1, 16)) * (1 - self._chance() / 2))

    def _heed_limits(self, answer: Answer) -> None:
        for what in ("requests", "tokens"):
            if answer.headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0":
                reset = _seconds(answer.headers.get(f"x-ratelimit-reset-{what}", ""))
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


def _retry_after(answer: Answer) -> float | None:
    """Seconds to wait as the server says, a date counted from its own clock; None where it does not say."""
    word = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", word):
        return float(word)
    try:
        then = parsedate_to_datetime(word).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    try:
        now = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        now = time.time()
    return max(0.0, then - now)


J = TypeVar("J")
R = TypeVar("R")


def run_concurrently(
    work: Callable[[J], R], jobs: Iterable[J], count: int, stop: threading.Event
) -> Generator[tuple[J, R], None, None]:
    """Each job with its result, in the order in which they are done; `count` are under way at a time.

    Each has a thread, which does not keep the program from ending: an answer may be a minute away. The first error
    of any of them is raised here; `stop` is set in the end, for those that are still under way.
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
