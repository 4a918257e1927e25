"""The Responses protocol: a server half, a client half and a relay. Refuses state: nothing is stored between calls."""
