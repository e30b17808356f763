#!/usr/bin/env bash
# Builds what the browser tests look at: the export within the embedded process, the export beneath
# a prefix of another program, and the Node server in front of an API.
set -euo pipefail
cd "$(dirname "$0")/../.."
export NEXT_TELEMETRY_DISABLED=1
exec </dev/null

[ -d node_modules/next ] || npm ci

npm run --silent build
find services/web/ui -mindepth 1 ! -name placeholder.html -delete
cp -R out/. services/web/ui/
CGO_ENABLED=0 go build -o bin/e2e/embedded ./services/embedded
CGO_ENABLED=0 go build -o bin/e2e/mounted ./tests/e2e/mounted
npm run --silent build:server -- bin/e2e/web
