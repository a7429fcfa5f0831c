"""What goes wrong with cases."""


class CaseError(Exception):
    """Root of what the case room raises; says what, which case and what to do."""


class UnknownCase(CaseError):
    """No case (or task) has this id."""
