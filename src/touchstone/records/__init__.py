"""The nouns that steps exchange, and their bytes. It must not know who writes or reads them."""
