"""Ollama's own chat protocol (`/api/chat`, JSON lines). Refuses its OpenAI-compatible one, which is `openai_chat`."""
