-- The request that wrk sends. It has no Idempotency-Key, so each request creates a new job.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"type":"email","payload":{"to":"somebody@example.com","subject":"a payload of about one hundred bytes","body":"n 12345","duration_ms":0}}'
