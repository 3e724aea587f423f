"""touchstone: is that robustness claim real?"""
