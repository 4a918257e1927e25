"""The site: server-rendered pages that need no script. Refuses SQL and everything that changes state."""
