"""Integrations, one file per product. The package imports none of them itself: a file is loaded
when the application uses it or when its product is loaded."""
