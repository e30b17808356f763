#!/usr/bin/env bash
# Builds what the browser tests look at: the export within the embedded process, the export beneath
# a prefix of another program, and the Node server in front of an API.
# With the word "embedded" all but the Node server.
set -euo pipefail
cd "$(dirname "$0")/../.."
export NEXT_TELEMETRY_DISABLED=1
exec </dev/null

[ -d node_modules/next ] || npm ci

npm run --silent build:export
find services/web/ui -mindepth 1 ! -name placeholder.html -delete
cp -R out/. services/web/ui/
CGO_ENABLED=0 go build -o bin/e2e/embedded ./services/embedded
CGO_ENABLED=0 go build -o bin/e2e/mounted ./tests/e2e/mounted
[ "${1:-}" = embedded ] && exit

# The Node server's way to the API is fixed when it is built, so it is kept apart from what people start.
API_URL=http://127.0.0.1:$((28000 + ${E2E_SHIFT:-0})) npm run --silent build
rm -rf bin/e2e/web
mkdir -p bin/e2e/web
cp -R .next/standalone/. bin/e2e/web/
mkdir -p bin/e2e/web/.next
cp -R .next/static bin/e2e/web/.next/static
cp -R public bin/e2e/web/public
