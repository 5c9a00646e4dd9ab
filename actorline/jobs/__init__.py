"""The job: its document, its states, the ledger that holds it, and the stages that move it."""
