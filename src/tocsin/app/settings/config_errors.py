"""What can go wrong with settings, apart from what it takes to read them."""


class ConfigError(Exception):
    """Settings that can't be used; says which, where they were set and what is allowed."""
