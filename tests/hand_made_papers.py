"""Papers of a test's own, and a study of them, as their files."""

COMMON = """
data_roles: {calibration: C, test: T, noise: N, extra: E}
groups: {both: [pgd, fgsm], pictures: [digits_test, faces], extra: $noise}
examples: {digits_test: {use: digits}, faces: {use: faces}}
classifiers: {defaults: {train: $test}, net: {use: clean}, five: {use: clean, seeds: [0, 1, 2, 3, 4]}}
attacks:
  pgd: {use: pgd, eps: 0.1, steps: 7}
  fgsm: {use: fgsm, eps: 0.1}
  pgd_*: {use: pgd, eps: [0.02, 0.1], steps: 5}
  pgd_10: {steps: 9}
detectors:
  defaults: {fit: $test}
  knn: {use: knn}
  msp: {use: msp}
evaluations:
  first: {use: checks, examples: [$test, faces], attacks: $both, question: What is $test}
  second: {use: detection, examples: $pictures, id_examples: $test, question: Q}
figures: {drawing: {use: roc_curves, evaluation: first}, painting: {use: roc_curves, evaluation: second}}
grades:
  smoke: {evaluations: [first], figures: [], change: {attacks: {pgd: {steps: 1}}}, groups: {both: [fgsm]}}
  quick: {change: {attacks: {pgd: {steps: 2}, fgsm: {eps: 0.3}}}}
"""
GRADES = "grades: {smoke: {}, quick: {}}\n"  # of a paper with nothing of its own
CLAIMS = "name: {0}\ntitle: {0}\ncite: C\nurl: https://example.org\nunfair: [It is small.]\n"
STUDY = """
title: Mine
data: {calibration: {held_out: {use: digits, part: calibration}}, test: digits_test}
papers: {one: full}
"""
