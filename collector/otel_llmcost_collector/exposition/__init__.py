"""What Prometheus asks a collector for: its ledger in sums, budgets, calls, and what the collector itself does."""
