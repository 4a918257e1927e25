"""Cohere's API, version 2: chat, with embeddings and reranking as plain functions. Refuses version 1."""
