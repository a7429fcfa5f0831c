"""RE2 for pySigma, as it checks expressions: without writing to stderr, with a readable reason."""

from typing import Any

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine

_FLAGS = ((2, "i"), (8, "m"), (16, "s"))


class QuietRe2(RE2RegexEngine):
    """The same engine that runs the expressions later: what it refuses is refused with the rule."""

    def compile(self, pattern: str, flags: int = 0) -> Any:
        letters = "".join(letter for bit, letter in _FLAGS if int(flags) & bit)
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(f"(?{letters}){pattern}" if letters else pattern, options)
        except re2.error as error:
            reason = error.args[0] if error.args else "not understood"
            text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise re2.error(f"{text} (RE2 syntax)") from error


POLICY = SigmaPolicy(regex_engine=QuietRe2())
