"""The corruptions of Hendrycks & Dietterich, ICLR 2019, by severity.

The decorator of each function has the paper's parameters for severities 1 to 5. They are for pictures of 224 pixels.
docs/corruptions.md states how other sizes are treated, and what else differs from the paper's code.
"""
