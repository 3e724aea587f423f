"""Components of the section `pretrained:`: networks trained elsewhere. They must not import one another."""
