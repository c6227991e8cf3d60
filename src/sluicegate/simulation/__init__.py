"""The engine on a virtual clock, a simulated network and a faulty disk."""
