"""What goes wrong with access."""


class AccessError(Exception):
    """Root of what access raises; says what and what to do, never a secret."""


class SignInRefused(AccessError):
    """Name and password do not fit, whichever of the two it is."""


class SignInThrottled(AccessError):
    """Too many failed tries from one place; ``retry_after_s`` says when to try again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many failed sign-ins from here; try again in {_duration(retry_after_s)}"
        )
        self.retry_after_s = retry_after_s


class WeakPassword(AccessError):
    """The new password does not keep to the policy."""


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} minutes"
