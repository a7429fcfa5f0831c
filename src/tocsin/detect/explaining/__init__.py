"""Why a rule matches or not, and whether it can match at all."""
