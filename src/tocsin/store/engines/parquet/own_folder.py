"""Folders of one process below a shared one; those of processes that are gone are swept."""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp


def own_folder(above: Path) -> Path:
    """A new folder for this process; what processes left that were killed is removed."""
    above.mkdir(exist_ok=True)
    for place in above.iterdir():
        pid = place.name.partition("-")[0]
        if not pid.isdecimal() or not Path(f"/proc/{pid}").exists():
            shutil.rmtree(place, ignore_errors=True)
    return Path(mkdtemp(prefix=f"{os.getpid()}-", dir=above))
