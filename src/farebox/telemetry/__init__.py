"""Logs and metrics. Refuses prompts and secrets."""
