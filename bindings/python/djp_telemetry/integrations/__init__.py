"""Support for products of others, one file each. None of them is imported by the package itself: a
file is loaded when the application uses it, or when the product that it is named for is there."""
