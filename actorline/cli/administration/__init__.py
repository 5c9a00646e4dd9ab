"""Commands for whoever runs an installation: keys, accounts, budgets, pauses, the ledger, and what is wrong."""
