"""Organisations and their API keys. Refuses money and inference."""
