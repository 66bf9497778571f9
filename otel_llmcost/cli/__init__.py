"""The `otel-llmcost` command."""
