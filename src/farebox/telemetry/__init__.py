"""Logs and metrics. Refuses secrets, bodies and anything not on the list of allowed fields."""
