"""Says a length of time as people do."""


def duration_text(seconds: int) -> str:
    """``4 h``, ``90 min``, ``45 s``, ``2 days``: the largest unit that leaves no rest."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            count = seconds // size
            return "1 day" if (unit, count) == ("days", 1) else f"{count} {unit}"
    return f"{seconds} s"
