"""The management and catalogue JSON API. Refuses SQL."""
