"""Where balances, reservations, the ledger and the alert outbox live."""
