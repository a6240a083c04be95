"""Studies in other programs: trackers, dashboards, the Hugging Face Hub."""
