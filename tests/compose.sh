#!/usr/bin/env bash
# Tests docker-compose.yml against docs/operations.md: make test-compose
#
# It runs its own project, windlass-test, on its own ports (TEST_WEB_PORT, TEST_API_PORT), and removes it with all its
# data at the end (KEEP=1 keeps it). It needs docker with compose and buildx, curl, and about 5 minutes. With a Chromium
# (in PATH or in CHROMIUM) it also looks at the pages.
set -euo pipefail
cd "$(dirname "$0")/.."

project=windlass-test
export COMPOSE_PROJECT_NAME=$project WEB_PORT=${TEST_WEB_PORT:-13000} API_PORT=${TEST_API_PORT:-18000}
export LEASE_TTL=5s FAIL_RATE=0 WORKER_CONCURRENCY=4 VERSION=compose-test
# Without .env and overrides, like a fresh clone.
export COMPOSE_ENV_FILES=/dev/null COMPOSE_FILE=docker-compose.yml
unset COMPOSE_PROFILES DATABASE_URL DATABASE_SCHEMA REDIS_URL REDIS_PREFIX POSTGRES_PASSWORD REDIS_PASSWORD
unset MIGRATE_DATABASE_URL
unset ALLOWED_HOSTS TRUSTED_ORIGINS WORKER_QUEUES
web=http://localhost:$WEB_PORT api=http://127.0.0.1:$API_PORT
scratch=$(mktemp -d)
checks=0

dc() { docker compose "$@"; }
# up OPTION…: starts all services and waits until they are healthy.
up() { dc up --detach --wait --wait-timeout 180 "$@" >"$scratch/up.log" 2>&1 || { cat "$scratch/up.log"; return 1; }; }

finish() {
  local code=$?
  if [ $code -ne 0 ]; then
    echo "--- the last lines of the services' logs" >&2
    dc logs --no-color --tail 25 >&2 || true
  fi
  if [ -z "${KEEP:-}" ]; then
    docker rm --force --volumes $project-evicting >/dev/null 2>&1 || true
    dc down --volumes --remove-orphans --rmi local >/dev/null 2>&1 || true
  fi
  rm -rf "$scratch"
  [ $code -eq 0 ] || echo "tests/compose.sh: FAILED" >&2
}
trap finish EXIT

title() { printf '\n%s\n' "$*"; }
ok() { checks=$((checks + 1)); printf '  ok    %s\n' "$*"; }
fail() { printf '  FAIL  %s\n' "$*" >&2; exit 1; }
# check TEXT COMMAND…: the command must succeed.
check() { local text=$1; shift; if "$@"; then ok "$text"; else fail "$text"; fi; }
# refuse TEXT COMMAND…: the command must fail.
refuse() { local text=$1; shift; if "$@"; then fail "$text"; else ok "$text"; fi; }
# within SECONDS TEXT COMMAND…: the command must succeed in that time.
within() {
  local until=$((SECONDS + $1)) text=$2; shift 2
  while ! "$@"; do
    [ $SECONDS -lt $until ] || fail "$text (after waiting)"
    sleep 0.5
  done
  ok "$text"
}

# field NAME: the first value of that name in a JSON text.
field() { grep -o "\"$1\":\(\"[^\"]*\"\|[^,}]*\)" | head -n 1 | cut -d : -f 2- | tr -d '"'; }
# submit JSON: submits a job through web, like its page, and prints the id.
submit() {
  curl -fsS "$web/api/jobs" -H 'Content-Type: application/json' -H "Origin: $web" -H 'Sec-Fetch-Site: same-origin' \
    -d "$1" | field id
}
sleeper() { submit '{"type":"email","payload":{"to":"ada@example.com","duration_ms":'"$1"'}}'; }
job() { curl -fsS "$web/api/jobs/$1" | field "$2"; }
is() { [ "$(job "$1" status)" = "$2" ]; }
all_are() { local id; for id in "${@:2}"; do is "$id" "$1" || return 1; done; }
metric() { curl -fsS "$api/metrics" | field "$1"; }
counts() { [ "$(metric "$1")" = "$2" ]; }
redis_is() { [ "$(curl -fsS "$api/readyz" | field redis)" = "$1" ]; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
containers() {
  docker ps -aq --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.oneoff=False" "$@"
}
of() { containers --filter "label=com.docker.compose.service=$1"; }

check "the profile observability is valid" dc --profile observability config --quiet

title "Images"
begin=$SECONDS
dc build >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; fail "everything builds"; }
ok "everything builds ($((SECONDS - begin)) s)"
for service in api worker; do
  bytes=$(docker image inspect -f '{{.Size}}' $project-$service)
  check "the image of $service is below 40 MB ($((bytes / 1000000)) MB)" test "$bytes" -lt 40000000
done
echo "        the image of web has $(($(docker image inspect -f '{{.Size}}' $project-web) / 1000000)) MB"
for service in api worker web; do
  docker history --no-trunc --format '{{.CreatedBy}}' $project-$service >"$scratch/history"
  docker image inspect -f '{{json .Config}}' $project-$service >>"$scratch/history"
  refuse "no password, token or key in the history of $service" \
    grep -iE '(password|passwd|secret|token|api_?key|_url)[a-z_]*["]?[=:]["]?[^ "]*[a-z0-9]' \
    <(grep -v 'API_URL=http://api:8000' "$scratch/history")
  check "$service does not run as root" \
    test "$(docker image inspect -f '{{.Config.User}}' $project-$service | cut -d : -f 1)" -gt 0
done
# holds IMAGE FOLDER: the image has LICENSE and NOTICE, as they are here, in that folder.
holds() {
  local id file same=0
  id=$(docker create "$1")
  for file in LICENSE NOTICE; do docker cp "$id:$2/$file" - | tar -xO | cmp -s - $file || same=1; done
  docker rm "$id" >/dev/null
  return $same
}
for service in api worker; do
  check "the image of $service holds LICENSE and NOTICE" holds $project-$service ""
done
check "the image of web holds LICENSE and NOTICE" holds $project-web /app
# A copy of the sources of the images, which we may change.
tree=$scratch/tree
mkdir "$tree"
cp -r docker-compose.yml .dockerignore LICENSE NOTICE Dockerfile go.mod go.sum internal jobs handlers services "$tree/"
cp -r package.json package-lock.json .npmrc next.config.ts postcss.config.mjs tsconfig.json public app "$tree/"
image() { docker image inspect -f '{{.Id}}' "$project-$1"; }
rebuild() { dc --project-directory "$tree" -f "$tree/docker-compose.yml" build "$1" >"$scratch/build.log" 2>&1; }
before=$(image web)
echo '// changed' >>"$tree/handlers/handlers.go"
rebuild web
check "a change in Go code does not rebuild web" test "$(image web)" = "$before"
cp handlers/handlers.go "$tree/handlers/handlers.go"
before="$(image api) $(image worker)"
echo '/* changed */' >>"$tree/app/globals.css"
rebuild api
rebuild worker
check "a change in the web interface rebuilds neither api nor worker" test "$(image api) $(image worker)" = "$before"

title "Up, on a fresh clone"
dc down --volumes --remove-orphans >/dev/null 2>&1
begin=$SECONDS
up
ok "everything is healthy ($((SECONDS - begin)) s)"
dc ps --format '        {{.Service}} {{.Status}}'

title "Locks"
for id in $(containers); do
  name=$(docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}' "$id")
  got=$(docker inspect "$id" -f \
    '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}}')
  check "$name: root file system read-only, no capabilities, no new privileges" \
    test "$got" = "true [ALL] [no-new-privileges:true] false"
  user=$(docker inspect -f '{{.Config.User}}' "$id")
  check "$name: not root (${user:-unset})" test "${user%%:*}" -gt 0
  check "$name: memory is limited" test "$(docker inspect -f '{{.HostConfig.Memory}}' "$id")" -gt 0
  check "$name: the number of processes is limited" test "$(docker inspect -f '{{.HostConfig.PidsLimit}}' "$id")" -gt 0
done
check "a running process has no capability" \
  test "$(dc exec -T postgres grep CapEff /proc/1/status | cut -f 2)" = 0000000000000000
refuse "a running process cannot write to its root file system" dc exec -T redis touch /here 2>/dev/null
for service in postgres redis worker migrate roles; do
  check "$service is not published" test "$(docker inspect -f '{{len .HostConfig.PortBindings}}' "$(of $service)")" = 0
done
for service in web api; do
  bindings='{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}'
  check "$service is published to this machine only" \
    test "$(docker inspect -f "$bindings" "$(of $service)")" = "127.0.0.1 "
done
refuse "PostgreSQL requires a password" \
  dc exec -T postgres psql -wqAt -h postgres -U windlass -c 'SELECT 1' windlass 2>/dev/null
refuse "the password of PostgreSQL is not easy to guess" \
  dc exec -T -e PGPASSWORD=windlass postgres psql -wqAt -h postgres -U windlass -c 'SELECT 1' windlass 2>/dev/null
by_password() {
  local query='psql -wqAt -h postgres -U windlass -c "SELECT 1" windlass'
  [ "$(dc exec -T postgres sh -c "PGPASSWORD=\$(cat /run/windlass/postgres-password) $query")" = 1 ]
}
check "PostgreSQL accepts the generated password" by_password
# sql TEXT: what the superuser gets.
sql() { dc exec -T postgres psql -wqAt -U windlass -c "$1" windlass; }
# as_app TEXT: what the role of api and worker gets.
as_app() {
  dc exec -T postgres sh -c 'PGPASSWORD=$(cat /run/windlass/app-password) psql -wqAt -h postgres -U windlass_app \
    -c "$1" windlass' sh "$1" 2>&1
}
check "api and worker are connected as windlass_app, and nobody else is" test windlass_app = \
  "$(sql "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'windlass%'")"
check "windlass_app and windlass_owner are no superusers, and can make neither roles nor databases" test 2 = \
  "$(sql "SELECT count(*) FROM pg_roles WHERE rolname IN ('windlass_app', 'windlass_owner')
    AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)")"
check "the tables belong to windlass_owner" test windlass_owner = \
  "$(sql "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'windlass'")"
check "windlass_app can read and write rows" test 0 = "$(as_app 'DELETE FROM windlass.leases WHERE false RETURNING 1;
  SELECT count(*) FROM windlass.jobs')"
check "windlass_app can change no table" grep -q 'must be owner' <(as_app 'DROP TABLE windlass.jobs')
check "windlass_app can make no table" grep -q 'permission denied' <(as_app 'CREATE TABLE windlass.mine ()')
check "windlass_app can run no program" grep -q 'permission denied' <(as_app "COPY windlass.leases TO PROGRAM 'true'")
refuse "the user of api and worker cannot read the other passwords" \
  docker run --rm --user 65532:65532 --volume ${project}_secrets:/s:ro redis:7 \
  sh -c 'cat /s/postgres-password || cat /s/owner-password || cat /s/pgpass-owner' 2>/dev/null
redis_says() { grep -q "$1" <(dc exec -T redis redis-cli "${@:2}" 2>&1); }
check "Redis evicts nothing" redis_says maxmemory_policy:noeviction info memory
check "a client of Redis cannot change its settings" redis_says NOPERM config set dir /tmp
check "a client of Redis cannot empty it" redis_says NOPERM flushall
check "the api refuses unknown host names" test "$(status -H 'Host: evil.example' $api/jobs)" = 421
foreign=$(status -d '{"type":"email"}' -H 'Content-Type: application/json' -H 'Origin: https://evil.example' \
  "$api/jobs") || true
check "the api refuses requests from foreign pages" test "$foreign" = 403

title "A job, through web"
id=$(sleeper 300)
within 20 "the job completes" is "$id" completed
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -n "$chromium" ]; then
  look() { # PAGE TEXT
    timeout 90 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
      --user-data-dir="$scratch/chromium" --virtual-time-budget=8000 --dump-dom "$web$1" >"$scratch/page" 2>/dev/null
    grep -q "$2" "$scratch/page"
  }
  check "the job's page says Completed" look "/jobs/$id" ">Completed<"
  check "the job's page shows the payload" look "/jobs/$id" "ada@example.com"
else
  echo "        no Chromium: the pages are fetched, but not run"
  check "the job's page exists" test "$(status "$web/jobs/$id")" = 200
fi
check "the first page exists" test "$(status "$web/")" = 200
for forged in X-Nothing:1 X-Forwarded-Host:localhost; do
  check "a page under another host name cannot reach the api through web ($forged)" \
    test "$(status "$web/api/jobs" -H "Host: evil.example" -H "$forged")" = 421
done
check "a page of another site cannot frame the pages" \
  grep -qi "content-security-policy:.*frame-ancestors 'none'" <(curl -fsSI "$web/")
seq 1 1000 | sed 's/.*/{"type":"email","queue":"bulk","delay_seconds":3600,"payload":{"text":"'"$(printf %012000d 0)"'"}}/' |
  paste -sd , | sed 's/^/{"jobs":[/; s/$/]}/' >"$scratch/bulk.json"
check "a bulk of 12 MB arrives through web" \
  test "$(status -H 'Content-Type: application/json' --data-binary "@$scratch/bulk.json" "$web/api/jobs/bulk")" = 201

title "Three workers"
up --no-recreate --scale worker=3
within 20 "the api counts three" counts workers 3
# Prometheus finds the workers by their name, as deploy/observability/prometheus.yml says.
scraped() {
  dc exec -T web node -e "require('dns').promises.resolve4('worker').then(async list => {
    for (const ip of list) {
      const text = await (await fetch('http://' + ip + ':8001/metrics')).text()
      if (!text.includes('windlass_worker_slots 4')) process.exit(1)
    }
    process.exit(list.length == 3 ? 0 : 1)
  })" 2>/dev/null
}
within 20 "the metrics of all three can be collected" scraped
jobs=(); for _ in $(seq 12); do jobs+=("$(sleeper 8000)"); done
within 10 "twelve jobs run at once, four on each" all_are processing "${jobs[@]}"
victim=$(of worker | head -n 1)
docker kill "$victim" >/dev/null
ok "one worker is killed"
within 60 "all twelve complete" all_are completed "${jobs[@]}"
lost=0; for id in "${jobs[@]}"; do [ "$(job "$id" attempts)" = 1 ] || lost=$((lost + 1)); done
check "four of them complete in a second attempt" test $lost = 4
check "no job is dead" counts dead 0
docker start "$victim" >/dev/null
within 30 "the restarted worker is counted again" counts workers 3
pid=$(docker inspect -f '{{.State.Pid}}' "$(of api)")
if kill -9 "$pid" 2>/dev/null; then # works only if docker runs on this machine and we are root
  restarted() {
    [ "$(docker inspect -f '{{.RestartCount}}' "$(of api)")" = 1 ] && [ "$(status $api/readyz)" = 200 ]
  }
  within 30 "an api that crashes is started again" restarted
fi

title "Without Redis"
dc stop redis >/dev/null 2>&1
within 20 "the api reports Redis as degraded" redis_is degraded
id=$(sleeper 100)
within 20 "a job is accepted and completes" is "$id" completed
dc start redis >/dev/null 2>&1
within 30 "Redis is back" redis_is ok
id=$(sleeper 100)
within 20 "a job completes" is "$id" completed
refuse "Redis denies none of our commands" grep NOPERM <(dc logs worker api)

title "Without PostgreSQL"
dc stop postgres >/dev/null 2>&1
answers() { [ "$(status "$1")" = "$2" ]; }
within 30 "the api is not ready" answers $api/readyz 503
check "a job is refused, not lost" \
  test "$(status -H 'Content-Type: application/json' -d '{"type":"email"}' $api/jobs)" = 503
dc start postgres >/dev/null 2>&1
within 60 "PostgreSQL is back, and the api with it" answers $api/readyz 200
id=$(sleeper 100)
within 30 "a job completes" is "$id" completed

title "docker compose stop, with running jobs"
short=$(sleeper 6000) long=$(sleeper 120000)
running() { is "$short" processing && is "$long" processing; }
within 10 "two jobs run, of 6 s and of 120 s" running
begin=$SECONDS
dc stop >/dev/null 2>&1
took=$((SECONDS - begin))
check "the workers let the jobs run for a while, and end by themselves ($took s)" test $took -ge 20 -a $took -lt 45
for id in $(of worker) $(of api); do
  check "exit code 0" test "$(docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$id")" = "0 false"
done
check "exit code 0 of PostgreSQL and Redis" \
  test "$(docker inspect -f '{{.State.ExitCode}}' "$(of postgres)" "$(of redis)" | sort -u)" = 0
dc start >/dev/null 2>&1
within 60 "everything is started again" answers $web/api/readyz 200
check "the short job was completed during the shutdown" \
  test "$(job "$short" status) $(job "$short" attempts)" = "completed 1"
within 20 "the long job was handed back and runs again" is "$long" processing
check "that did not use up an attempt" test "$(job "$long" attempts)" = 1
curl -fsS -X POST "$web/api/jobs/$long/cancel" >/dev/null
within 15 "the long job ends when it is cancelled" is "$long" failed

title "Down and up, with other settings"
jobs_before=$(metric total_jobs)
dc down >/dev/null 2>&1
check "no container is left" test -z "$(containers)"
up
check "all $jobs_before jobs are still there" test "$(metric total_jobs)" = "$jobs_before"
check "the short job is still completed" is "$short" completed
export POSTGRES_PASSWORD=another REDIS_PASSWORD=hush4redis
up
check "there is a warning when .env gets a password after the database was made" \
  grep -q 'made with another password' <(dc logs secrets)
check "the database keeps its password" by_password
check "Redis requires its password" redis_says NOAUTH ping
within 20 "api and worker use the password of Redis" redis_is ok
id=$(sleeper 100)
within 20 "a job completes" is "$id" completed

title "Tables and passwords of before there were roles"
# The superuser owns everything, and its password is the only one.
dc stop api worker >/dev/null 2>&1
old="ALTER SCHEMA windlass OWNER TO windlass; ALTER DOMAIN windlass.job_payload OWNER TO windlass;"
for table in $(sql "SELECT tablename FROM pg_tables WHERE schemaname = 'windlass'"); do
  old="$old ALTER TABLE windlass.$table OWNER TO windlass;"
done
sql "$old DROP OWNED BY windlass_app, windlass_owner; DROP ROLE windlass_app, windlass_owner"
docker run --rm --user 999:999 --volume ${project}_secrets:/s redis:7 \
  sh -c 'rm /s/app-password /s/owner-password /s/pgpass /s/pgpass-owner; chmod 644 /s/postgres-password'
jobs_before=$(sql 'SELECT count(*) FROM windlass.jobs')
up
check "the tables belong to windlass_owner now" test windlass_owner = \
  "$(sql "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'windlass'")"
check "all $jobs_before jobs are still there" test "$(metric total_jobs)" = "$jobs_before"
id=$(sleeper 100)
within 20 "a job completes" is "$id" completed

title "A password from .env, and a Redis that evicts"
dc down --volumes >/dev/null 2>&1
up
one=$(dc exec -T -e PGPASSWORD=another postgres psql -wqAt -h postgres -U windlass -c 'SELECT 1' windlass) || true
check "the database was made with the password from .env" test "$one" = 1
unset POSTGRES_PASSWORD REDIS_PASSWORD
docker run -d --name $project-evicting --network ${project}_data \
  redis:7 --maxmemory-policy allkeys-lru >/dev/null
REDIS_URL=redis://$project-evicting:6379 dc up --detach --no-deps worker >/dev/null 2>&1
warned() { grep -q 'maxmemory-policy is allkeys-lru' <(dc logs worker); }
within 20 "a worker warns that the policy of Redis is wrong" warned

title "make env"
cp Makefile .env.example "$scratch/"
(cd "$scratch" && make -s env >/dev/null)
check "only the owner can read the new .env" test "$(stat -c %a "$scratch/.env")" = 600
check "it makes two different passwords" \
  test "$(grep -E '^[A-Z]+_PASSWORD=[0-9a-f]{48}$' "$scratch/.env" | cut -d = -f 2 | sort -u | wc -l)" = 2
sum=$(cksum <"$scratch/.env")
(cd "$scratch" && make -s env >/dev/null)
check "it does not change an existing .env" test "$(cksum <"$scratch/.env")" = "$sum"

printf '\ntests/compose.sh: all %d checks passed\n' $checks
