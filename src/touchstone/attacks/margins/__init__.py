"""Components of the section `margins:`: distances to the decision boundary. They must not import one another."""
