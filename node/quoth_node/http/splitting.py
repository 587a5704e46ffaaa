"""A JSON array that comes in pieces -> its elements, in bounded memory. Pure.

Parsing is orjson's, a run of whole elements at a time; what is found here is where a run ends.
First by a guess: where the last element seems to begin. An open bracket or string before the guess
stays open behind it, so if the run parses as an array the guess was right, whatever the elements
hold. Else by a scan of brackets and strings, which goes on where it stood when more comes, so an
element of many pieces is scanned once.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from quoth_node.http.errors import BadBody, BodyTooLarge
from quoth_node.http.wire.parsing import WITHIN_STRING, parse

RUN_BYTES = 131_072  # that much is gathered before it is parsed
GUESSED_BYTES_MAX = 4 * RUN_BYTES  # what a wrong guess may cost
HEAD = b'},{"Id":'  # how clients begin a command that follows another
WHOLE_HEAD = re.compile(rb'\},\{"Id":(?:"(?:[^"\\]++|\\.)*+"|null),"Type":"', re.DOTALL)
GUESSES_MAX = 100
SIGN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[][{},]', re.DOTALL)
BLANK = b" \t\r\n"
QUOTE, COMMA, OPEN, CLOSE = b'",[]'
OPENING, CLOSING = b"[{", b"]}"
DEPTH_MAX = 1_000
BLANK_BYTES_MAX = 67_108_864  # in a row: compressed, they cost their sender nothing


class Stage(Enum):
    """How far the array has come."""

    BEFORE = "before its opening bracket"
    WITHIN = "within it"
    BEHIND = "behind its closing bracket"


class Splitter:
    """Feed it pieces, then `finish` it. Each list it yields holds the next whole elements."""

    def __init__(
        self,
        *,
        element_bytes_max: int,
        run_bytes: int = RUN_BYTES,
        blank_bytes_max: int = BLANK_BYTES_MAX,
    ) -> None:
        self.count = 0  # elements so far
        self._run_bytes = run_bytes
        self._element_bytes_max = element_bytes_max
        self._blank_bytes_max = blank_bytes_max
        self._blank_bytes = 0  # passed over since the last run
        self._stage = Stage.BEFORE
        self._owes_element = False  # a comma was the last
        self._buffer = bytearray()  # within the array: begins with an element, or blank before it
        # The scan, of what is in the buffer. Invariant: all 0 and False where an element begins.
        self._at = 0
        self._depth = 0
        self._in_string = False

    @property
    def is_complete(self) -> bool:
        """Whether the array has its closing bracket."""
        return self._stage is Stage.BEHIND

    @property
    def waiting(self) -> bytes | bytearray:
        """What has come and is in no list yet."""
        return self._buffer

    def let_go(self) -> None:
        """Nothing more comes: keep nothing, whoever still knows this."""
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[list[Any]]:
        """What is whole now, and all if the array ends. Raises BadBody, BodyTooLarge, OverLimit."""
        self._buffer += piece
        self._skip_blank()
        while self._stage is Stage.WITHIN:
            if len(self._buffer) >= self._run_bytes:
                values = self._guessed_run() or self._scanned_run()
            elif self._may_end():
                values = self._scanned_run()
            else:
                return
            if values is None:
                if len(self._buffer) > self._element_bytes_max:
                    limit = self._element_bytes_max
                    raise BodyTooLarge(f"{self._where()}: it is over the limit of {limit} bytes")
                return
            yield values
            self._skip_blank()

    def finish(self) -> Iterator[list[Any]]:
        """The rest. Raises BadBody also where the array is cut short."""
        while self._stage is Stage.WITHIN:
            values = self._scanned_run()
            if values is None:
                raise BadBody(f"{self._where()}: the body is cut short, the array has no end")
            yield values
            self._skip_blank()
        if self._stage is Stage.BEFORE:
            raise BadBody("The body is empty: a JSON array of commands was expected")

    def _skip_blank(self) -> None:
        """Pass over what stands before an element, and around the array."""
        if self._at == 0 and self._buffer[:1] and self._buffer[0] in BLANK:
            before = len(self._buffer)
            self._buffer = self._buffer.lstrip(BLANK)
            self._blank_bytes += before - len(self._buffer)
            if self._blank_bytes > self._blank_bytes_max:
                raise BadBody(f"{self._where()}: over {self._blank_bytes_max} blanks in a row")
        if self._stage is Stage.BEFORE and self._buffer:
            if self._buffer[0] != OPEN:
                raise BadBody("The body is no JSON array of commands: '[' was expected first")
            del self._buffer[:1]
            self._stage = Stage.WITHIN
            self._skip_blank()
        if self._stage is Stage.BEHIND and self._buffer:
            raise BadBody(f"The body goes on behind its array of {self.count} commands")

    def _may_end(self) -> bool:
        """Whether what came last may be the end of the array. No run is waited for then: some
        clients send nothing more, not even the end of their request."""
        return self._buffer[self._at :].rstrip(BLANK).endswith(b"]")

    def _guessed_run(self) -> list[Any] | None:
        if self._at or len(self._buffer) > GUESSED_BYTES_MAX:
            return None
        guess = self._guess()
        if guess < 0:
            return None
        run = b"".join((b"[", self._buffer[: guess + 1], b"]"))
        try:
            values = parse(run)
        except BadBody:
            return None  # a wrong guess, or a wrong command: the scan tells, and names the place
        assert isinstance(values, list), "it was put between brackets"
        self._taken(values, guess + 2, comma=True)
        return values

    def _guess(self) -> int:
        """Where the element before the last one seems to end; -1 if nothing looks like it."""
        at = len(self._buffer)
        for _ in range(GUESSES_MAX):
            at = self._buffer.rfind(HEAD, 0, at)
            if at < 0 or WHOLE_HEAD.match(self._buffer, at):
                break
        return at

    def _scanned_run(self) -> list[Any] | None:
        """The elements up to the last comma between two, or to the end of the array."""
        comma, end = self._scan()
        at = comma if end is None else end
        if at < 0:
            return None
        run = self._buffer[:at]
        if not run.strip(BLANK) and (end is None or self._owes_element):
            raise BadBody(f"{self._where()}: a value was expected beside ','")
        run[:0], run[len(run) :] = b"[", b"]"
        try:
            values = parse(run)
        except BadBody as error:
            raise BadBody(f"{self._where()}: {error.message}") from error
        assert isinstance(values, list), "it was put between brackets"
        self._taken(values, at + 1, comma=end is None)
        return values

    def _taken(self, values: list[Any], size: int, *, comma: bool) -> None:
        """`size` bytes of the buffer are done with; what follows is scanned anew."""
        del self._buffer[:size]
        self.count += len(values)
        self._owes_element = comma
        self._at, self._depth, self._in_string = 0, 0, False
        self._blank_bytes = 0
        if not comma:
            self._stage = Stage.BEHIND

    def _scan(self) -> tuple[int, int | None]:
        """The last comma between elements, or -1, and the end of the array if it is there."""
        buffer, depth, comma = self._buffer, self._depth, -1
        if self._in_string and not self._pass_string():
            return -1, None
        for match in SIGN.finditer(buffer, self._at):
            at = match.start()
            sign = buffer[at]
            if sign == QUOTE:
                if not match[1]:  # it goes on in what is to come, perhaps behind a backslash
                    self._at, self._depth, self._in_string = match.end(), depth, True
                    return comma, None
            elif sign in OPENING:
                depth += 1
                if depth > DEPTH_MAX:
                    raise BadBody(f"{self._where()}: it is nested over {DEPTH_MAX} levels deep")
            elif sign in CLOSING:
                if depth == 0:
                    if sign != CLOSE:
                        raise BadBody(f"{self._where()}: a bracket is closed that was not opened")
                    return comma, at
                depth -= 1
            elif depth == 0:
                comma = at
        self._at, self._depth = len(buffer), depth
        return comma, None

    def _pass_string(self) -> bool:
        """Whether the string that the scan stands in has its end."""
        match = WITHIN_STRING.match(self._buffer, self._at)
        assert match is not None, "it matches nothing, too"
        self._at = match.end()
        if self._at == len(self._buffer) or self._buffer[self._at] != QUOTE:
            return False  # nothing yet, or a backslash alone at the end
        self._at += 1
        self._in_string = False
        return True

    def _where(self) -> str:
        return f"Behind the first {self.count} commands"
