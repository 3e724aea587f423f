"""From a publisher's archive or a user's folder to arrays and example sets. It must not know a network."""
