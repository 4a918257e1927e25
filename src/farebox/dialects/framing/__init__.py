"""Framings that several dialects share: JSON request bodies and server-sent events. Refuses to know any protocol's words."""
