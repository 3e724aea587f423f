"""The page: tables, headlines, names, colours, templates. It must not decide a verdict."""
