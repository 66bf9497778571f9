"""The books of a collector: each call charged once, its cost booked on budgets, all of it counted."""
