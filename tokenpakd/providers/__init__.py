"""Whom to call: one file a provider, data only. `registry` joins them with the configuration."""
