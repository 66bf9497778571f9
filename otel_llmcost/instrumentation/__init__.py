"""What happens inside the host process: patches, drivers, streams, containment."""
