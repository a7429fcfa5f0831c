"""What goes wrong in triage."""


class TriageError(Exception):
    """Root of what triage raises; says what, which alert and what to do."""


class UnknownAlert(TriageError):
    """No alert has this id."""


class RefusedChange(TriageError):
    """The alert may not change in this way as it stands."""
