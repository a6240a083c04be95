"""GAN Slimming: distillation, channel pruning and quantization in one objective."""
