"""From outputs to metric rows: components of the section `evaluations:`, beside their statistics. They must not import one
another or torch.
"""
