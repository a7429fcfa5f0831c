"""How a person likes the console shown; kept in one cookie, read on the server."""

from dataclasses import dataclass

COOKIE = "tocsin_view"
THEMES = ("system", "light", "dark")
DENSITIES = ("comfortable", "compact")
ZONES = ("utc", "local")


@dataclass(frozen=True, slots=True)
class Preferences:
    """Theme, row height and time zone."""

    theme: str = "system"
    density: str = "comfortable"
    zone: str = "utc"

    @classmethod
    def from_cookie(cls, value: str | None) -> "Preferences":
        """What the cookie says; parts it doesn't know are as by default."""
        parts = (value or "").split(".")
        theme, density, zone = (*parts, "", "", "")[:3]
        return cls(
            theme if theme in THEMES else "system",
            density if density in DENSITIES else "comfortable",
            zone if zone in ZONES else "utc",
        )

    def to_cookie(self) -> str:
        return f"{self.theme}.{self.density}.{self.zone}"
