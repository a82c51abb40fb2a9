-- wrk's request: the body in the file BODY, headers in HDRS as "name:value|name:value".
local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*a")
file:close()
wrk.method = "POST"
for name, value in string.gmatch(os.getenv("HDRS"), "([^:|]+):([^|]+)") do
  wrk.headers[name] = value
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "RESULT {\"requests\":%d,\"us\":%d,\"p50\":%.0f,\"p99\":%.0f,\"bad\":%d}\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
