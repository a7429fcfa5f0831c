"""Packs: which rule sets are installed, where they came from, their licence, and their problems."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.pack_content import PackRefused
from tocsin.app.pack_shelf import Manifest, PackShelf
from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Visit
from tocsin.model.principal import Permission

router = APIRouter(prefix="/packs")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]


@dataclass(frozen=True, slots=True)
class ShownPack:
    """A pack by name; ``manifest`` None when it is damaged, ``trouble`` says how."""

    name: str
    manifest: Manifest | None
    trouble: str = ""


@router.get("")
def packs(visit: Reader) -> Response:
    shelf = PackShelf(visit.tocsin.settings.home)
    return visit.page(
        "packs.html",
        packs=attempt("The packs", lambda: [_shown(shelf, name) for name in shelf.names()]),
        shipped=visit.tocsin.settings.detect.shipped_pack,
    )


def _shown(shelf: PackShelf, name: str) -> ShownPack:
    try:
        return ShownPack(name, shelf.current(name))
    except PackRefused as error:
        return ShownPack(name, None, str(error))
