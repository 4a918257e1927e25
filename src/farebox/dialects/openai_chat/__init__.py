"""OpenAI chat completions, with the extensions that OpenRouter made common. Refuses vendors' names; see NOTES.md."""
