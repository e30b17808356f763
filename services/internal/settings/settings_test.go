package settings

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs/engine"
)

// minimal is what each service cannot do without.
var minimal = map[Service][]string{
	API:      {"DATABASE_URL=postgres://u:hush@db/w", "REDIS_URL=redis://:hush@cache:6379/0"},
	Worker:   {"DATABASE_URL=postgres://u:hush@db/w", "REDIS_URL=redis://:hush@cache:6379/0"},
	Embedded: nil,
}

func TestLoadDefaults(t *testing.T) {
	for service, environ := range minimal {
		t.Run(string(service), func(t *testing.T) {
			got, err := Load(service, environ)
			if err != nil {
				t.Fatal(err)
			}
			want := Config{
				Service: service, Auth: AuthOff,
				Host: "127.0.0.1", Port: 8000, WebPort: 3000, HealthPort: 8001,
				AllowedHosts:   []string{"localhost", "127.0.0.1", "[::1]"},
				DatabaseSchema: "windlass", AutoMigrate: true, RedisPrefix: "windlass",
				DataDir: "./data", WorkerConcurrency: 5, FailRate: 0.2, MaxPayloadBytes: 256 << 10, MaxQueues: 10_000,
				RetentionCompleted: 7 * 24 * time.Hour, RetentionFailed: 90 * 24 * time.Hour,
				RetentionAudit: 365 * 24 * time.Hour,
				LeaseTTL:       30 * time.Second, ShutdownTimeout: 25 * time.Second, LogLevel: slog.LevelInfo,
				LogJobs: engine.LogAll,
			}
			if service != Embedded {
				want.DatabaseURL, want.RedisURL = "postgres://u:hush@db/w", "redis://:hush@cache:6379/0"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadReadsEverySetting(t *testing.T) {
	tests := []struct {
		service Service
		set     string
		want    func(*Config)
	}{
		{API, "PORT=0", func(c *Config) { c.Port = 0 }},
		{Embedded, "WEB_PORT=3001", func(c *Config) { c.WebPort = 3001 }},
		{Worker, "HEALTH_PORT=0", func(c *Config) { c.HealthPort = 0 }},
		{API, "HOST=::1", func(c *Config) { c.Host = "::1" }},
		{API, "HOST=[::1]", func(c *Config) { c.Host = "::1" }},
		{API, "HOST=127.0.0.2", func(c *Config) {
			c.Host, c.AllowedHosts = "127.0.0.2", []string{"localhost", "127.0.0.1", "[::1]", "127.0.0.2"}
		}},
		{API, "ALLOWED_HOSTS= Jobs.Example.com ,::1,", func(c *Config) {
			c.AllowedHosts = []string{"jobs.example.com",
				"[::1]"}
		}},
		{API, "TRUSTED_ORIGINS=https://a.example, http://b.example:81/", func(c *Config) {
			c.TrustedOrigins = []string{"https://a.example", "http://b.example:81"}
		}},
		{Embedded, "DATA_DIR=/var/lib/windlass", func(c *Config) { c.DataDir = "/var/lib/windlass" }},
		{Worker, "WORKER_CONCURRENCY=10000", func(c *Config) { c.WorkerConcurrency = 10_000 }},
		{Worker, "WORKER_QUEUES=critical:6,default:3, low", func(c *Config) {
			c.WorkerQueues = []engine.QueueWeight{{Name: "critical", Weight: 6}, {Name: "default", Weight: 3}, {Name: "low",
				Weight: 1}}
		}},
		{Worker, "FAIL_RATE=0", func(c *Config) { c.FailRate = 0 }},
		{API, "MAX_PAYLOAD_BYTES=1048576", func(c *Config) { c.MaxPayloadBytes = 1 << 20 }},
		{API, "REQUEST_MEMORY_BYTES=16777216", func(c *Config) { c.RequestMemoryBytes = 16 << 20 }},
		{API, "MAX_QUEUES=1", func(c *Config) { c.MaxQueues = 1 }},
		{API, "RETENTION_COMPLETED=1h30m", func(c *Config) { c.RetentionCompleted = 90 * time.Minute }},
		{Worker, "RETENTION_AUDIT=1s", func(c *Config) { c.RetentionAudit = time.Second }},
		{Embedded, "AUTH=ON", func(c *Config) { c.Auth = AuthOn }},
		{API, "METRICS_PUBLIC=true", func(c *Config) { c.MetricsPublic = true }},
		{API, "ADMIN_TOKEN=01234567890123456789", func(c *Config) { c.AdminToken = "01234567890123456789" }},
		{API, "RETENTION_FAILED=1s", func(c *Config) { c.RetentionFailed = time.Second }},
		{Worker, "LEASE_TTL=2s", func(c *Config) { c.LeaseTTL = 2 * time.Second }},
		{Worker, "SHUTDOWN_TIMEOUT=0", func(c *Config) { c.ShutdownTimeout = 0 }},
		{API, "SHUTDOWN_DELAY=5s", func(c *Config) { c.ShutdownDelay = 5 * time.Second }},
		{API, "LOG_LEVEL=warn", func(c *Config) { c.LogLevel = slog.LevelWarn }},
		{Worker, "LOG_JOBS=Failures", func(c *Config) { c.LogJobs = engine.LogFailures }},
		{API, "LOG_FORMAT=TEXT", func(c *Config) { c.LogFormat = "text" }},
		{API, "DATABASE_URL=postgresql://other/db?sslmode=require",
			func(c *Config) { c.DatabaseURL = "postgresql://other/db?sslmode=require" }},
		{API, "REDIS_URL=rediss://sentinel:26379/0?master_name=m&addr=b:26379", func(c *Config) {
			c.RedisURL = "rediss://sentinel:26379/0?master_name=m&addr=b:26379"
		}},
		{API, "DATABASE_SCHEMA=jobs_of_shop", func(c *Config) { c.DatabaseSchema = "jobs_of_shop" }},
		{API, "DATABASE_URL= 'postgres://u:hush@db/w'\n", func(c *Config) { c.DatabaseURL = "postgres://u:hush@db/w" }},
		{API, "REDIS_URL=\"valkeys://u:hush@cache:6379/0\"\r\n",
			func(c *Config) { c.RedisURL = "rediss://u:hush@cache:6379/0" }},
		{API, "DATABASE_URL=host=db user=u password='hush' dbname=w pgbouncer=true", func(c *Config) {
			c.DatabaseURL, c.Ignored = "host='db' user='u' password='hush' dbname='w'", []string{"pgbouncer"}
		}},
		{Worker, "REDIS_URL=redis://hush@cache?family=6", func(c *Config) {
			c.RedisURL, c.IgnoredRedis = "redis://:hush@cache", []string{"family"}
		}},
		{API, "DATABASE_URL=postgres://u:h%40sh@db/w?sslmode=require&pgbouncer=true&connection_limit=1&timezone=UTC",
			func(c *Config) {
				c.DatabaseURL = "postgres://u:h%40sh@db/w?sslmode=require&timezone=UTC"
				c.Ignored = []string{"pgbouncer", "connection_limit"}
			}},
		{Worker, "DATABASE_URL=postgres://db/w?schema=public", func(c *Config) {
			c.DatabaseURL, c.Ignored = "postgres://db/w", []string{"schema"}
		}},
		{API, "REDIS_PREFIX=shop-2.prod_a", func(c *Config) { c.RedisPrefix = "shop-2.prod_a" }},
		{Worker, "AUTO_MIGRATE=false", func(c *Config) { c.AutoMigrate = false }},
		{API, "PORT=", func(*Config) {}},                   // empty is unset
		{API, "FAIL_RATE=nonsense", func(*Config) {}},      // not the api's
		{Embedded, "REDIS_URL=nonsense", func(*Config) {}}, // not embedded's
	}
	for _, test := range tests {
		t.Run(test.set, func(t *testing.T) {
			want, err := Load(test.service, minimal[test.service])
			if err != nil {
				t.Fatal(err)
			}
			test.want(&want)
			got, err := Load(test.service, append(minimal[test.service], test.set))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		service Service
		set     string
		want    string
	}{
		{API, "PORT=http", "PORT must be a whole number"},
		{API, "PORT=-1", "PORT must be a port, 0 to 65535"},
		{API, "PORT=65536", "PORT must be a port"},
		{Embedded, "WEB_PORT=8000", "WEB_PORT must differ from PORT"},
		{Worker, "HEALTH_PORT=70000", "HEALTH_PORT must be a port"},
		{API, "HOST=0.0.0.0", "ALLOW_INSECURE_NO_AUTH=true"},
		{API, "HOST=::", "HOST is \"::\""},
		{Embedded, "HOST=jobs.example.com", "ALLOW_INSECURE_NO_AUTH=true"},
		{Worker, "HOST=10.0.0.1", "ALLOW_INSECURE_NO_AUTH=true"},
		{API, "ALLOW_INSECURE_NO_AUTH=perhaps", "ALLOW_INSECURE_NO_AUTH must be true or false"},
		{API, "ALLOWED_HOSTS=jobs.example.com:8000", "ALLOWED_HOSTS must be a list"},
		{API, "ALLOWED_HOSTS=*", "ALLOWED_HOSTS must be a list"},
		{API, "TRUSTED_ORIGINS=jobs.example.com", "TRUSTED_ORIGINS must be a list"},
		{API, "TRUSTED_ORIGINS=https://jobs.example.com/path", "TRUSTED_ORIGINS must be a list"},
		{API, "DATABASE_URL=", "DATABASE_URL is needed"},
		{Worker, "REDIS_URL=", "REDIS_URL is needed"},
		{API, "DATABASE_URL=host=db password=hush more hush", "DATABASE_URL must be a URL"},
		{API, "DATABASE_URL=host=db password=more hush=1", "DATABASE_URL has something behind the password"},
		{API, "DATABASE_URL=postgres://db/w?password=more&hush=1", "DATABASE_URL has something behind the password"},
		{API, "REDIS_URL=redis://:hush@cache?no_such=1", "REDIS_URL has the parameter no_such, which is unknown"},
		{API, "DATABASE_URL=postgres://u:hu%sh@db/w", "DATABASE_URL must be a URL"},
		{API, "DATABASE_URL=mysql://u:hush@db/w", "DATABASE_URL must be a URL"},
		{API, "DATABASE_SCHEMA=pg_jobs", "DATABASE_SCHEMA must be a name"},
		{API, "DATABASE_SCHEMA=Jobs", "DATABASE_SCHEMA must be a name"},
		{Worker, "DATABASE_SCHEMA=1st", "DATABASE_SCHEMA must be a name"},
		{Worker, "AUTO_MIGRATE=later", "AUTO_MIGRATE must be true or false"},
		{API, "REDIS_URL=hush@cache:6379", "REDIS_URL must be a URL"},
		{API, "DATABASE_URL=postgres://u:hu/sh@db/w", "DATABASE_URL must be a URL"},
		{API, "DATABASE_URL=postgres://u:12?hush@db/w", "DATABASE_URL must be a URL"},
		{API, "DATABASE_URL=postgres://u:12#hush@db/w", "DATABASE_URL must be a URL"},
		{Worker, "REDIS_URL=redis://:hush/1@cache:6379", "REDIS_URL must be a URL"},
		{API, "REDIS_PREFIX={a}", "REDIS_PREFIX must be"},
		{API, "REDIS_PREFIX=a:*", "REDIS_PREFIX must be"},
		{Worker, "WORKER_CONCURRENCY=0", "WORKER_CONCURRENCY must be 1 to 10000"},
		{Worker, "WORKER_CONCURRENCY=10001", "WORKER_CONCURRENCY must be 1 to 10000"},
		{Worker, "WORKER_QUEUES=a,,b", "WORKER_QUEUES must be a list"},
		{Worker, "WORKER_QUEUES=A", "WORKER_QUEUES must be a list"},
		{Worker, "WORKER_QUEUES=a:0", "WORKER_QUEUES must give the queue \"a\" a weight"},
		{Worker, "WORKER_QUEUES=a:", "WORKER_QUEUES must give the queue \"a\" a weight"},
		{Worker, "WORKER_QUEUES=a,b,a:2", "WORKER_QUEUES names the queue \"a\" twice"},
		{Worker, "FAIL_RATE=1.01", "FAIL_RATE must be 0 (never) to 1 (always)"},
		{Worker, "FAIL_RATE=NaN", "FAIL_RATE must be 0"},
		{Worker, "FAIL_RATE=often", "FAIL_RATE must be a number"},
		{API, "MAX_PAYLOAD_BYTES=1023", "MAX_PAYLOAD_BYTES must be"},
		{API, "MAX_PAYLOAD_BYTES=1048577", "MAX_PAYLOAD_BYTES must be"},
		{API, "REQUEST_MEMORY_BYTES=16777215", "REQUEST_MEMORY_BYTES must be"},
		{API, "REQUEST_MEMORY_BYTES=-1", "REQUEST_MEMORY_BYTES must be"},
		{API, "MAX_QUEUES=0", "MAX_QUEUES must be"},
		{API, "MAX_QUEUES=1000001", "MAX_QUEUES must be"},
		{API, "RETENTION_COMPLETED=7d", "RETENTION_COMPLETED must be a duration"},
		{API, "AUTH=maybe", "AUTH must be off or on"},
		{API, "ADMIN_TOKEN=short", "ADMIN_TOKEN must be 20 to 200"},
		{API, "ADMIN_TOKEN_FILE=/nowhere/at/all", "ADMIN_TOKEN_FILE cannot be read"},
		{API, "DATABASE_URL_FILE=/nowhere", "DATABASE_URL_FILE and DATABASE_URL are both set"},
		{API, "RETENTION_FAILED=0s", "RETENTION_FAILED must be 1s to"},
		{Worker, "LEASE_TTL=1999ms", "LEASE_TTL must be 2s to"},
		{Worker, "LEASE_TTL=30", "LEASE_TTL must be a duration"},
		{API, "SHUTDOWN_TIMEOUT=-1s", "SHUTDOWN_TIMEOUT must be 0s to"},
		{API, "SHUTDOWN_DELAY=2h", "SHUTDOWN_DELAY must be 0s to"},
		{API, "LOG_LEVEL=loud", "LOG_LEVEL must be debug, info, warn or error"},
		{API, "LOG_JOBS=some", "LOG_JOBS must be all, failures or none"},
		{API, "LOG_FORMAT=xml", "LOG_FORMAT must be json or text"},
	}
	for _, test := range tests {
		t.Run(test.set, func(t *testing.T) {
			_, err := Load(test.service, append(minimal[test.service], test.set))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error tells a password: %v", err)
			}
			if name, _, _ := strings.Cut(test.set, "="); strings.Count(err.Error(), "\n") > 0 ||
				!strings.HasPrefix(err.Error(), firstOf(name)) {
				t.Errorf("error %q, want one line that begins with the variable", err)
			}
		})
	}
}

func TestLoadRedisFiles(t *testing.T) {
	tls := []string{"DATABASE_URL=postgres://db/w", "REDIS_URL=rediss://cache"}
	c, err := Load(API, append(tls, "REDIS_CA_FILE=/ca", "REDIS_CERT_FILE=/cert", "REDIS_KEY_FILE=/key"))
	if err != nil || c.RedisCAFile != "/ca" || c.RedisCertFile != "/cert" || c.RedisKeyFile != "/key" {
		t.Errorf("Load: %+v, %v", c, err)
	}
	const plain = "REDIS_URL must begin with rediss:// where REDIS_CA_FILE or REDIS_CERT_FILE is set"
	if _, err := Load(Worker, append(minimal[Worker], "REDIS_CA_FILE=/ca")); err == nil || err.Error() != plain {
		t.Errorf("without TLS: %v, want %s", err, plain)
	}
	const want = "REDIS_CERT_FILE and REDIS_KEY_FILE must be set both, or none"
	for _, one := range []string{"REDIS_CERT_FILE=/cert", "REDIS_KEY_FILE=/key"} {
		if _, err := Load(Worker, append(tls, one)); err == nil || err.Error() != want {
			t.Errorf("with %s: %v, want %s", one, err, want)
		}
	}
}

func firstOf(name string) string { return name + " " }

func TestLoadTellsAllProblemsAtOnce(t *testing.T) {
	_, err := Load(API, []string{"PORT=x", "LOG_FORMAT=xml", "REDIS_URL=redis://r"})
	if err == nil {
		t.Fatal("no error")
	}
	want := "PORT must be a whole number\nDATABASE_URL is needed: postgres://user:password@host:5432/database\n" +
		"LOG_FORMAT must be json or text"
	if got := err.Error(); got != want {
		t.Errorf("error:\n%s\nwant:\n%s", got, want)
	}
}

func TestLoadListensBeyondLoopbackOnlyWhenTold(t *testing.T) {
	allowed := [][]string{
		{"HOST=0.0.0.0", "ALLOW_INSECURE_NO_AUTH=1"},
		{"HOST=localhost"}, {"HOST=127.9.9.9"}, {"HOST=::1"},
	}
	for _, set := range allowed {
		if _, err := Load(Embedded, set); err != nil {
			t.Errorf("%v: %v", set, err)
		}
	}
	c, err := Load(Worker, append(minimal[Worker], "HOST=0.0.0.0", "HEALTH_PORT=0"))
	if err != nil {
		t.Errorf("a worker that does not listen: %v", err)
	}
	if diff := cmp.Diff([]string{"localhost", "127.0.0.1", "[::1]"}, c.AllowedHosts); diff != "" {
		t.Errorf("0.0.0.0 is not a name that a browser may use (-want +got):\n%s", diff)
	}
}

func TestConfigIsLoggedWithoutSecrets(t *testing.T) {
	c, err := Load(Worker, []string{
		"DATABASE_URL=postgres://app:hush@db:5432/w?sslmode=require&sslpassword=hush", "REDIS_URL=redis://:hush@cache:6379/0",
		"WORKER_QUEUES=a:2,b",
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("starting", "settings", c)
	text := out.String()
	if strings.Contains(text, "hush") {
		t.Errorf("the log tells a secret: %s", text)
	}
	for _, want := range []string{
		`"DATABASE_URL":"postgres://app:***@db:5432/w?sslmode=require&sslpassword=***"`,
		`"REDIS_URL":"redis://:***@cache:6379/0"`,
		`"WORKER_QUEUES":"a:2,b:1"`, `"LEASE_TTL":"30s"`, `"LOG_LEVEL":"INFO"`, `"HOST":"127.0.0.1"`,
	} {
		if !strings.Contains(strings.ReplaceAll(text, `\u0026`, "&"), want) {
			t.Errorf("the log lacks %s: %s", want, text)
		}
	}
	if strings.Contains(text, "WEB_PORT") {
		t.Errorf("the log tells of a setting that a worker does not read: %s", text)
	}
}

func TestSettingErrorsCanBeTold(t *testing.T) {
	_, err := Load(API, append(minimal[API], "PORT=x"))
	var s *settingError
	if !errors.As(err, &s) || s.name != "PORT" {
		t.Errorf("errors.As finds %v in %v", s, err)
	}
}

// The README has a table of all settings, and of no others.
func TestSettingsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, s := range settings() {
		if !strings.Contains(string(readme), "`"+s.name+"`") {
			t.Errorf("README.md lacks the setting %s", s.name)
		}
		known[s.name] = true
		if s.file {
			known[s.name+"_FILE"] = true
		}
	}
	_, table, found := strings.Cut(string(readme), "## Settings of the processes")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| (`[A-Z].*?`) \\|").FindAllStringSubmatch(table, -1)
	if !found || len(rows) < 10 {
		t.Fatalf("README.md has lost its table of settings: %d rows", len(rows))
	}
	for _, row := range rows {
		for name := range strings.SplitSeq(row[1], ", ") {
			if name = strings.Trim(name, "`"); !known[name] {
				t.Errorf("README.md has the setting %s, which no process reads", name)
			}
		}
	}
}

func TestSecretsMayBeInFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := dir + "/" + name
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	config, err := Load(API, []string{
		"DATABASE_URL_FILE=" + write("db", "postgres://u:hush@db/w\n"),
		"REDIS_URL_FILE=" + write("redis", " redis://cache:6379/0 \n"),
		"ADMIN_TOKEN_FILE=" + write("token", "abc:567890123456789x\n"), "AUTH=on", "HOST=0.0.0.0",
	})
	if err != nil || config.DatabaseURL != "postgres://u:hush@db/w" || config.RedisURL != "redis://cache:6379/0" ||
		config.AdminToken != "abc:567890123456789x" {
		t.Errorf("%+v, %v", config, err)
	}
	if text := slog.Any("", config).Value.Resolve().String(); strings.Contains(text, "567890123456789x") {
		t.Errorf("the token is in the log: %s", text)
	}
	_, err = Load(Embedded, []string{"ADMIN_TOKEN_FILE=" + write("empty", " \n")})
	if err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	// The health port of a worker asks for no token.
	if _, err = Load(Worker, append(minimal[Worker], "AUTH=on", "HOST=0.0.0.0")); err == nil {
		t.Error("a worker listens beyond this machine")
	}
}
