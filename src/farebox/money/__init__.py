"""Amounts, units, price sheets, rating and the toll: integers only. Refuses accounts and storage."""
