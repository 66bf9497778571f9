"""How many tokens a text will be: a cheap rule that learns, and exact counts by tiktoken."""
