"""The only languages spoken between processes: framing, control_api, worker_api, unix_socket (door)."""
