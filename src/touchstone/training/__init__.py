"""Components of the section `training:`: how a network is trained. They must not import one another."""
