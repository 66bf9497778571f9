"""Names, spans, metrics and baggage: all that OpenTelemetry sees of us."""
