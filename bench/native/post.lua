-- wrk script.  BODY=file wrk -s post.lua URL ; extra headers in HDRS="k: v|k2: v2".
-- Every request carries its own 16-digit nonce where the body says NONCE_0000000000, so that a cache of responses
-- cannot stand in for the forwarding path. The last line printed is one JSON object with the figures.
local f = assert(io.open(os.getenv("BODY"), "rb")); local body = f:read("*a"); f:close()
wrk.method = "POST"; wrk.headers["content-type"] = "application/json"
for h in (os.getenv("HDRS") or ""):gmatch("[^|]+") do local k, v = h:match("^(.-):%s*(.*)$"); wrk.headers[k] = v end
local before, after
local n = (os.time() % 100000) * 1e9
init = function(args)
  local mark = "NONCE_0000000000"
  local full = wrk.format(nil, nil, nil, body)
  local i = assert(full:find(mark, 1, true), "no nonce in the body")
  before, after = full:sub(1, i - 1), full:sub(i + #mark)
end
request = function() n = n + 1; return before .. string.format("%016.0f", n) .. after end
done = function(s, l, r)
  io.write(string.format('JSON {"requests":%d,"seconds":%.6f,"p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,"max_us":%.1f,"failed":%d}\n',
    s.requests, s.duration / 1e6, l:percentile(50), l:percentile(90), l:percentile(99), l.max,
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
