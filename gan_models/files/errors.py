"""Errors by cause: the user's input, the environment, or ganprune itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .texts.message_text import message_line

# What code raises on values of other types and sizes than it expects.
MALFORMED = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError, RecursionError)


class UserError(ValueError):
    """An error in the user's input: the command line ends with exit code 2 and this one line.

    The message reads `what is wrong: got X; expected Y. Try Z.`, on one line. Texts from files may be part of it: they
    are shown without control characters, and shortened.

    Attributes:
        traceback: Traceback of the user's own code, for a log; empty unless that code raised.
    """

    traceback: str = ""

    def __str__(self) -> str:
        return message_line(super().__str__())


class UserErrors(UserError):
    """Several errors in one input, reported together, one line each.

    Attributes:
        errors: One per error; none is a `UserErrors`.
    """

    def __init__(self, errors: Sequence[UserError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)
        self.traceback = "\n".join(error.traceback for error in errors if error.traceback)

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))

    def __reduce__(self) -> tuple[type, tuple[tuple[UserError, ...]]]:
        return type(self), (self.errors,)


class DataGone(UserError):
    """A study's data are not at the recorded path."""


class WorkFailed(RuntimeError):
    """A failure of the environment: a full disk, an unreachable server, a diverged training.

    The command line ends with exit code 1 and this one line. Any other exception is a bug in ganprune, and is reported
    as one.
    """

    def __str__(self) -> str:
        return message_line(super().__str__())


@contextmanager
def malformed_as(error_type: type[UserError] | type[WorkFailed], what: str) -> Iterator[None]:
    """Turn the exceptions of values that ganprune did not write into one line.

    It stands around the reading of whole records from elsewhere, such as a database of another machine. Their
    parts have many types, and a check of each part by itself would forget some.

    Args:
        error_type: The exception to raise instead.
        what: The record, for the message.

    Raises:
        error_type: The block raised one of `MALFORMED`; errors of the user's input pass unchanged.
    """
    try:
        yield
    except (UserError, WorkFailed):
        raise
    except MALFORMED as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise error_type(f"{what} cannot be read: got {reason}; expected what ganprune wrote") from error


class Refusals:
    """A collector of the errors in an input; checks continue as long as they do not depend on a failed one.

    Attributes:
        errors: Each error once, in order of occurrence.
    """

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Collect an error that ends the block, and continue after the block."""
        try:
            yield
        except UserError as error:
            self.add(error)

    def passes(self, check: Callable[..., object], *arguments: object) -> bool:
        """Return True if a check raises no error; collect the error if it does."""
        try:
            check(*arguments)
        except UserError as error:
            self.add(error)
            return False
        return True

    def add(self, error: UserError) -> None:
        """Collect an error, or several; duplicates are ignored."""
        for one in errors_of(error):
            if str(one) not in map(str, self.errors):
                self.errors.append(one)

    def end(self) -> None:
        """Raise the collected errors, if there are any.

        Raises:
            UserError: The one error, or `UserErrors` for several.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise UserErrors(self.errors)


def errors_of(error: UserError) -> tuple[UserError, ...]:
    """Return the single errors in an error, one per line of its message."""
    return error.errors if isinstance(error, UserErrors) else (error,)
