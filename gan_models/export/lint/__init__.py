"""Rules per runtime: operators that it lacks, runs elsewhere, runs slowly, or computes inexactly."""
