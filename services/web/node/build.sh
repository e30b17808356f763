#!/usr/bin/env bash
# Puts the web server together, out of out/ (`next build`) and the sources here: build.sh [FOLDER], bin/web by default.
# What it leaves there needs nothing but Node.
set -euo pipefail
cd "$(dirname "$0")/../../.."
to=${1:-bin/web}
rm -rf "$to"
mkdir -p "$to"
npx tsc -p services/web/node --outDir "$to"
cp services/web/headers.json "$to/"
cp -R out "$to/pages"
