"""Header names of ours, lower case. Request headers are stripped before the upstream sees them."""

PREFIX = "x-tokenpak-"

# in
MODE = "x-tokenpak-mode"
CACHE = "x-tokenpak-cache"
VAULT = "x-tokenpak-vault"
SESSION = "x-tokenpak-session"
USER = "x-tokenpak-user"
ROUTE = "x-tokenpak-route"
TOKEN = "x-tokenpak-token"

# out
REQUEST_ID = "x-tokenpak-request-id"
SAVED_TOKENS = "x-tokenpak-saved-tokens"
PROVIDER = "x-tokenpak-provider"
DEGRADED = "x-tokenpak-degraded"
ERROR = "x-tokenpak-error"
SERVER_TIMING = "server-timing"
