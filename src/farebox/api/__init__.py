"""Control and its JSON API. Refuses SQL of its own: it uses the domains' queries and commands."""
