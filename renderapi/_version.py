"""The version of the distribution, in the one place that everything else reads."""

__version__ = "3.0.0"
