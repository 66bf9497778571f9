"""Names of our environment variables, as `opentelemetry-instrument --help` lists them: from the table of settings."""

from otel_llmcost.config.table import VARIABLES

globals().update({name: name for name in VARIABLES})
