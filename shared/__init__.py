"""What the services share: `schemas` (contracts, pure) and `kit` (plumbing without a domain word)."""
