"""One table per SDK: where a call starts, what it asks for, where its usage lies."""
