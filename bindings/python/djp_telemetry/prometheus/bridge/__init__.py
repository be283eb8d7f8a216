"""Ways of a registry to other systems."""
