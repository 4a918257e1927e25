"""People, organisations and API keys. Refuses money."""
