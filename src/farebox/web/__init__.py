"""The server-rendered site. Refuses SQL."""
