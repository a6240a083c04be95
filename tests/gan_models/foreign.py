"""Seven small generators that are not ours and not of one family, written from public definitions.

Each factory takes keyword arguments only and builds a network of width about 16 for 32x32 images.
`FOREIGN` maps a name to (factory, shape of one input). All but `branching` can be traced.
"""

from .foreign_images import attention_unet, branching, groupnorm_autoencoder, johnson, srresnet
from .foreign_latents import dcgan, style_generator

FOREIGN = {
    "dcgan": (dcgan, (24,)),
    "johnson": (johnson, (3, 32, 32)),
    "srresnet": (srresnet, (3, 32, 32)),
    "attention_unet": (attention_unet, (3, 32, 32)),
    "groupnorm_autoencoder": (groupnorm_autoencoder, (3, 32, 32)),
    "style_generator": (style_generator, (24,)),
    "branching": (branching, (3, 32, 32)),
}
