"""Services that agents talk to: for now, the budget API that an `https://` store speaks."""
