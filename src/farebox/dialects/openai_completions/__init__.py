"""OpenAI's legacy text completions. Refuses chat; what crosses to a chat vendor is one user message."""
