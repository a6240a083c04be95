"""Errors by whose fault they are: the user's input, the surroundings, or ganprune."""


class UserError(ValueError):
    """Input that cannot be used: the command line ends with exit code 2 and this one line.

    The message reads `what is wrong: got X; expected Y. Try Z.`, on one line.
    """


class WorkFailed(RuntimeError):
    """Work that its surroundings ended: a full disk, a server that is away, a training that diverged.

    The command line ends with exit code 1 and this one line. Any other exception is a fault of ganprune, and is
    reported as one.
    """
