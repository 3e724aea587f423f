"""The page: claim table, chapters, headlines, pictures, figures, templates. It must not decide a verdict."""
