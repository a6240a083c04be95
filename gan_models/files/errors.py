"""Errors by whose fault they are: the user's input, the surroundings, or ganprune."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class UserError(ValueError):
    """Input that cannot be used: the command line ends with exit code 2 and this one line.

    The message reads `what is wrong: got X; expected Y. Try Z.`, on one line.

    Attributes:
        traceback: Traceback of the user's own code, for a log; empty unless that code raised.
    """

    traceback: str = ""


class UserErrors(UserError):
    """Several mistakes in one input, which are told together; each has a line of its own.

    Attributes:
        errors: One per mistake, none of them `UserErrors` itself.
    """

    def __init__(self, errors: Sequence[UserError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)
        self.traceback = "\n".join(error.traceback for error in errors if error.traceback)

    def __reduce__(self) -> tuple[type, tuple[tuple[UserError, ...]]]:
        return type(self), (self.errors,)


class WorkFailed(RuntimeError):
    """Work that its surroundings ended: a full disk, a server that is away, a training that diverged.

    The command line ends with exit code 1 and this one line. Any other exception is a fault of ganprune, and is
    reported as one.
    """


class Refusals:
    """The mistakes that were seen in an input so far; work goes on as long as it does not depend on them.

    Attributes:
        errors: Each mistake once, in the order in which they were seen.
    """

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a mistake that ends the block, and go on after the block."""
        try:
            yield
        except UserError as error:
            self.add(error)

    def passes(self, check: Callable[..., object], *arguments: object) -> bool:
        """Return if a check raises nothing; keep the mistake that it finds."""
        try:
            check(*arguments)
        except UserError as error:
            self.add(error)
            return False
        return True

    def add(self, error: UserError) -> None:
        """Keep a mistake, or several; one that was seen already is not kept twice."""
        for one in errors_of(error):
            if str(one) not in map(str, self.errors):
                self.errors.append(one)

    def end(self) -> None:
        """Raise what was seen.

        Raises:
            UserError: The one mistake, or `UserErrors` for several.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise UserErrors(self.errors)


def errors_of(error: UserError) -> tuple[UserError, ...]:
    """Return the mistakes that an error tells, one for each line."""
    return error.errors if isinstance(error, UserErrors) else (error,)
