"""What goes wrong when a day is played."""


class RehearsalError(Exception):
    """The day could not be played to its end; says what was waited for."""


class DeliveryError(RehearsalError):
    """A sending that did not arrive; says by which door and why."""
