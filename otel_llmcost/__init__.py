"""What every LLM call costs, and a limit that holds."""
