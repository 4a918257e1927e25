"""OpenAI embeddings. Refuses streams: an embedding comes whole."""
