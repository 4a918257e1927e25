"""The data plane: one generation's life from admission to settlement. Refuses vendor and protocol specifics."""
