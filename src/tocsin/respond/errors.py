"""What response raises: each says what, where and what to do."""


class RespondError(Exception):
    """Root of what response raises."""


class NotAllowed(RespondError):
    """The person may not do this; the message names the permission or rule."""


class NotFound(RespondError):
    """No such playbook, run, approval or lease."""


class NotNow(RespondError):
    """The thing exists but its state does not permit this (decided, expired, undone)."""


class BadRequest(RespondError):
    """The request itself can't be carried out: target, lease or playbook does not fit."""


class ActionFailed(RespondError):
    """An action's outside system did not do what was asked; the message says what it answered."""


class Refused(RespondError):
    """The gate or a person said no; nothing was done."""
