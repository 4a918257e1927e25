"""Anthropic Messages: server half, client half, relay, token counting. Refuses IO, vendors and prices."""
