"""What a simulated model says: pure functions from a request to an answer and its documents. Refuses IO."""
