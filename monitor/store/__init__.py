"""What the daemon remembers: figures, pulls, alerts, deliveries, runs. Functions take a connection; the caller commits."""
