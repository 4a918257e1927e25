"""Engines, the single SQLite writer, transactions, migrations. Refuses business rules."""
