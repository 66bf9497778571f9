"""Hand on what was received: to trace back ends, over outages, without a bound in time but with one in size."""
