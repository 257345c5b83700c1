"""The demo's world: parameters in, events and truth out; a simulated software business with a shop."""
