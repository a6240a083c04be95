"""A trial, from request to result, in a worker."""
