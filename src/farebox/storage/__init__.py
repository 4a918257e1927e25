"""Engines, the single SQLite writer, transactions and migrations. Refuses business rules: it runs what it is handed."""
