"""Networks whose published weights a user gives: natural-image features, classifiers, and what metrics are made of."""
