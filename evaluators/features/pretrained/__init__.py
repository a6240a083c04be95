"""Networks whose published weights the user supplies: encoders of natural images, classifiers, and parts of metrics."""
