"""The engines behind the ports; only ``app`` names them. In: a port's calls. Out: durable data."""
