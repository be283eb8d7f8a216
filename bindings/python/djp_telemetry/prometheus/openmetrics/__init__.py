"""OpenMetrics: its exposition and its parser."""
