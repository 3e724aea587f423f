"""A study of three kinds of jobs that takes seconds: digits are fetched, prepared and described."""

STUDY = """title: Digits
data:
  sources:
    digits: {use: sklearn_digits, sha256: "sha256:e34d9899136e13080fb109e32926b3834fe0fff9e83100089bb8e09c9e47ac94"}
  calibration: {held_out: {use: digits, source: digits, part: calibration, limit: 20}}
  sets: {tested: {use: digits, source: digits, part: test, limit: 20}}
change:
  evaluations:
    sheet: {use: data_sheet, question: "What do they look like?", examples: [tested, held_out], resamples: 20}
"""
