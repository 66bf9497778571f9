"""Pure rules of pricing, attribution and budgets: values in, values out."""
