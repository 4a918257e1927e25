"""Authors, models, providers, endpoints, capabilities, data policies and dated prices. Refuses usage and accounts."""
