"""Google's generateContent, as the Gemini API and Vertex AI speak it: both halves, relay, token counting. Refuses IO."""
