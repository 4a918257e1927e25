"""The HTTP/1.1 edge: server protocol, client connections and pools, limits and deadlines, TLS. Refuses what the bytes mean."""
