package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/windlass-jobs/windlass/jobs/engine"
)

// settingError is a setting that is wrong.
type settingError struct {
	name   string
	detail string
}

func (e *settingError) Error() string { return e.name + " " + e.detail }

// parseProblems turns the errors of the env library, which speaks of fields and types, into ones about variables.
func parseProblems(err error) []error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	var problems []error
	for _, e := range all.Errors {
		var parse env.ParseError
		if !errors.As(e, &parse) {
			problems = append(problems, e)
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
		problems = append(problems, &settingError{field.Tag.Get("env"), "must be " + wanted(field.Type)})
	}
	return problems
}

// wanted says in words what a field's text must look like.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration like 30s, 5m or 168h"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Name() == "Level":
		return "debug, info, warn or error"
	default:
		return "a whole number"
	}
}

// unparsed names the settings that have a problem already: their values are not worth a second one.
func unparsed(problems []error) map[string]bool {
	names := map[string]bool{}
	for _, p := range problems {
		var s *settingError
		if errors.As(p, &s) {
			names[s.name] = true
			names[strings.TrimSuffix(s.name, "_FILE")] = true
		}
	}
	return names
}

// problems checks values, and how they go together.
func (c *Config) problems(known map[string]bool) []error {
	var found []error
	used := map[string]bool{}
	for _, s := range settings() {
		used[s.name] = s.usedBy(c.Service)
	}
	check := func(ok bool, name, format string, args ...any) {
		if !ok && used[name] && !known[name] {
			found = append(found, &settingError{name, fmt.Sprintf(format, args...)})
		}
	}
	port := func(name string, value int) {
		check(value >= 0 && value <= 65535, name, "must be a port, 0 to 65535")
	}
	span := func(name string, value, least, most time.Duration) {
		check(value >= least && value <= most, name, "must be %s to %s", least, most)
	}

	port("PORT", c.Port)
	port("WEB_PORT", c.WebPort)
	port("HEALTH_PORT", c.HealthPort)
	check(c.WebPort == 0 || c.WebPort != c.Port, "WEB_PORT", "must differ from PORT, which is %d too", c.Port)
	listens := c.Service != Worker || c.HealthPort != 0
	way := "set AUTH=on, or ALLOW_INSECURE_NO_AUTH=true"
	if c.Service == Worker {
		way = "set ALLOW_INSECURE_NO_AUTH=true" // its health port asks for nothing
	}
	check(!listens || c.Auth == AuthOn && used["AUTH"] || c.AllowInsecureNoAuth || loopback(c.Host), "HOST",
		"is %q, which others than this machine can reach, and nobody would have to log in. "+
			"Use 127.0.0.1, or "+way+" if something else keeps strangers away", c.Host)
	check(c.Auth == AuthOff || c.Auth == AuthOn, "AUTH", "must be off or on")
	check(c.AdminToken == "" || secretPattern.MatchString(c.AdminToken), "ADMIN_TOKEN",
		"must be 20 to 200 visible ASCII characters: openssl rand -hex 32 makes one")
	for _, host := range c.AllowedHosts {
		check(plainHost(host), "ALLOWED_HOSTS",
			"must be a list like localhost,jobs.example.com of names without scheme and port")
	}
	for _, origin := range c.TrustedOrigins {
		check(plainOrigin(origin), "TRUSTED_ORIGINS",
			"must be a list like https://jobs.example.com of origins: scheme, host and perhaps port")
	}

	check(c.DatabaseURL != "", "DATABASE_URL", "is needed: postgres://user:password@host:5432/database")
	check(schemaPattern.MatchString(c.DatabaseSchema) && !strings.HasPrefix(c.DatabaseSchema, "pg_"), "DATABASE_SCHEMA",
		"must be a name of 1 to 63 lower-case letters, digits and underscores that does not begin with a digit or with pg_")
	check(c.RedisURL != "", "REDIS_URL", "is needed: redis://host:6379/0")
	check(prefixPattern.MatchString(c.RedisPrefix), "REDIS_PREFIX",
		"must be 1 to 64 letters, digits, dots, hyphens and underscores")
	check((c.RedisCertFile == "") == (c.RedisKeyFile == ""), "REDIS_CERT_FILE",
		"and REDIS_KEY_FILE must be set both, or none")
	files := c.RedisCAFile + c.RedisCertFile + c.RedisKeyFile
	check(files == "" || c.RedisURL == "" || known["REDIS_URL"] || strings.HasPrefix(c.RedisURL, "rediss://"), "REDIS_URL",
		"must begin with rediss:// where REDIS_CA_FILE or REDIS_CERT_FILE is set")

	check(c.WorkerConcurrency >= 1 && c.WorkerConcurrency <= 10_000, "WORKER_CONCURRENCY", "must be 1 to 10000")
	check(c.FailRate >= 0 && c.FailRate <= 1, "FAIL_RATE", "must be 0 (never) to 1 (always)") // false for NaN, too
	check(c.MaxPayloadBytes >= 1<<10 && c.MaxPayloadBytes <= 1<<20, "MAX_PAYLOAD_BYTES", "must be %d to %d", 1<<10, 1<<20)
	check(c.RequestMemoryBytes == 0 || c.RequestMemoryBytes >= 16<<20, "REQUEST_MEMORY_BYTES",
		"must be 0 (a part of GOMEMLIMIT) or at least %d", 16<<20)
	check(c.MaxQueues >= 1 && c.MaxQueues <= 1_000_000, "MAX_QUEUES", "must be 1 to 1000000")
	const years = 100 * 365 * 24 * time.Hour
	span("RETENTION_COMPLETED", c.RetentionCompleted, time.Second, years)
	span("RETENTION_FAILED", c.RetentionFailed, time.Second, years)
	span("RETENTION_AUDIT", c.RetentionAudit, time.Second, years)
	span("LEASE_TTL", c.LeaseTTL, 2*time.Second, time.Hour)
	span("SHUTDOWN_TIMEOUT", c.ShutdownTimeout, 0, time.Hour)
	span("SHUTDOWN_DELAY", c.ShutdownDelay, 0, time.Hour)
	check(c.LogJobs == engine.LogAll || c.LogJobs == engine.LogFailures || c.LogJobs == engine.LogNone, "LOG_JOBS",
		"must be all, failures or none")
	check(c.LogFormat == "" || c.LogFormat == "json" || c.LogFormat == "text", "LOG_FORMAT", "must be json or text")
	return found
}

// schemaPattern is what a schema may be called, so that its name needs no quotes in SQL.
var schemaPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// secretPattern is what fits into a header; shorter secrets can be guessed.
var secretPattern = regexp.MustCompile(`^[!-~]{20,200}$`)

// prefixPattern leaves out what has a meaning in the names of keys and in the patterns of an ACL.
var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// loopback tells that only this machine can reach a listener on host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func plainHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.HasSuffix(inner, "]") && net.ParseIP(strings.TrimSuffix(inner, "]")) != nil
	}
	return host != "" && !strings.ContainsAny(host, ":/?#@* \t[]")
}

func plainOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && origin == u.Scheme+"://"+u.Host
}
