"""What people do about a warning: doors, hazard points, plans, proposals, drills. It stands on the desk and the ledger."""
