-- What wrk sends: the same job again and again, without an Idempotency-Key, so that each request is a new one.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"type":"email","payload":{"to":"somebody@example.com","subject":"a payload of about one hundred bytes","body":"n 12345","duration_ms":0}}'
