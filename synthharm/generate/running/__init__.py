"""How a run is worked off: who holds the folder, by which workers, what is seen of it, and how it ends early."""
