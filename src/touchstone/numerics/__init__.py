"""Torch arithmetic: tensors, devices, norms of gradients. It must not know an attack, a detector or a label."""
