"""What the detection room raises."""


class DetectError(Exception):
    """Root of what detection raises; says what, where and what to do."""


class Unsupported(DetectError):
    """A rule asks for something this engine doesn't do; the rule is refused, never degraded.

    ``near`` is a key or field of the rule that helps to find the line (``line``, 0 when unknown).
    """

    def __init__(self, message: str, near: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.near = near
        self.line = line


class RefusedDecision(DetectError):
    """A decision on a rule that can't be taken; says why and what could."""


class UnknownRule(DetectError):
    """No rule with that id is loaded, and nothing was ever decided on one."""
