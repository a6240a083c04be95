"""The methods: (teacher, task, target, settings) -> (pruned generator, plan)."""
