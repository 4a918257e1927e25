"""The command line. Refuses decisions: it calls the floors below."""
