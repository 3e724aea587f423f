"""Studies of three kinds of jobs that take seconds: digits, or pictures of one's own, are fetched, prepared and described."""

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

# The pictures lie in pets/CLASS/*.png.
PETS = """
title: Pets
data:
  sources: {mine: {use: own_files, location: pets, sha256: null}}
  calibration: {pets: {use: own_images, source: mine, height: 8, width: 8, colour: gray}}
change:
  evaluations: {sheet: {use: data_sheet, examples: [pets], system: shared, question: What is in it, resamples: 10}}
"""
