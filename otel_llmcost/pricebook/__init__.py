"""Dated rates as data: compiled by `make prices`, loaded when first needed, overridden by the owner."""
