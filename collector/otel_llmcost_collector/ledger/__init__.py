"""Where a collector keeps its charges: SQLite on one node, PostgreSQL for many."""
