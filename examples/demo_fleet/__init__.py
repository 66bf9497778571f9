"""The fleet demo: agents in two languages, with and without our plugin, on one bill. Run it by `make demo-fleet`."""
