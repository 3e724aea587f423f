"""The page: claim table, chapters, headlines, pictures, templates. It must not decide a verdict."""
