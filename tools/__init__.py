"""What is done with a clone of this repository; no part of the package."""
