"""Components of `model:` blocks: architectures. They must not import one another."""
