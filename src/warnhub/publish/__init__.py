"""What leaves this house for other houses: CAP 1.2, the national profile, feeds, and the signature on them."""
