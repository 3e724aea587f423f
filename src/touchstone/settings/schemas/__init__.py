"""JSON schemas of a study and of a paper's two files, from which editors complete and check what is typed. They must not
replace the checks of `touchstone check`, which also looks up names, follows references and reads plug-in components.
"""
