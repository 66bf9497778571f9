"""How each instrumentor tells of a call, and what that means in canonical form."""
