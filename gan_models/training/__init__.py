"""Data, adversarial tasks, distillation and the training loop that every network is trained with."""
