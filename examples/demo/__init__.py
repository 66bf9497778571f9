"""The demo: an unchanged agent team is priced, held to its budgets, told on, and shown. Run it by `make demo`."""
