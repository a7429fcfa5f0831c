"""Finds the connectors: a folder with a ``mapping.yml`` in it is one."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def mapping_paths() -> list[Path]:
    """Every connector's mapping file, by connector name."""
    return sorted(_HERE.glob("*/mapping.yml"))


def sample_folders() -> list[Path]:
    """The ``samples`` folder of each connector that has a mapping."""
    return [path.parent / "samples" for path in mapping_paths()]
