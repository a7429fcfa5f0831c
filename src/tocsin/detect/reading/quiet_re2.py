"""How pySigma checks expressions: by the engines that run them later, with a readable reason."""

from typing import Any

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine

from tocsin.detect.errors import Unsupported
from tocsin.detect.rules.expression import compiled

_FLAGS = ((2, "i"), (8, "m"), (16, "s"))


class QuietRe2(RE2RegexEngine):
    """What no engine takes is refused with the rule; nothing is written to stderr."""

    def compile(self, pattern: str, flags: int = 0) -> Any:
        letters = "".join(letter for bit, letter in _FLAGS if int(flags) & bit)
        try:
            return compiled(f"(?{letters}){pattern}" if letters else pattern).native
        except Unsupported as error:
            raise re2.error(str(error)) from error


POLICY = SigmaPolicy(regex_engine=QuietRe2())
