"""Running the proofs within a budget, and keeping what they found."""
