"""What events are enriched with on their way in: our networks and assets, places of addresses."""

from collections.abc import Sequence

from tocsin.app.flow.assets import AssetRegister
from tocsin.app.flow.networks import NetworkBook
from tocsin.app.settings.config import Settings
from tocsin.connectors.maxmind.database import GeoDatabase
from tocsin.normalize.enrichment import Enricher


class AssetNames:
    """Names the asset of ours that an address belongs to."""

    def __init__(self, assets: AssetRegister) -> None:
        self._assets = assets

    def refresh(self) -> bool:
        return False

    def problems(self) -> Sequence[str]:
        return ()

    def facts(self, address: str) -> dict[str, str | int]:
        asset = self._assets.by_address(address)
        return {} if asset is None else {"name": asset.name}


def open_enricher(settings: Settings, assets: AssetRegister) -> Enricher:
    """The enricher as it is set up; what can't be read is in its ``problems``, never raised."""
    cache = settings.home / "cache" / "geoip"
    databases = [GeoDatabase(path, cache) for path in settings.enrich.geoip_files]
    networks = NetworkBook(settings.home / "networks.yml")
    enricher = Enricher([AssetNames(assets), networks, *databases])
    enricher.enriched([])  # what is wrong is to be known before the first event comes
    return enricher
