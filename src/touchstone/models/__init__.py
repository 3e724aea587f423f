"""Networks: architectures, trained networks, and networks trained elsewhere (pretrained). They must not know an attack."""
