"""The settings of the house, one value for all parts. Refuses to be changed after it was read."""

from farebox.settings.schema import (
    Field,
    GatewaySettings,
    LedgerSettings,
    LocalSettings,
    LogSettings,
    OtherServer,
    ServedModel,
    ServerSettings,
    Settings,
    fields,
)
from farebox.settings.secret import Secret, SettingsError
from farebox.settings.sources import Resolved, home_of, load, resolve

__all__ = [
    "Field",
    "GatewaySettings",
    "LedgerSettings",
    "LocalSettings",
    "LogSettings",
    "OtherServer",
    "Resolved",
    "Secret",
    "ServedModel",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "fields",
    "home_of",
    "load",
    "resolve",
]
