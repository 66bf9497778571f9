"""OTLP as bytes: take requests apart, and put what calls cost back onto their spans."""
