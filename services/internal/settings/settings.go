// Package settings reads the settings of the services from the environment, and checks them.
package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/windlass-jobs/windlass/internal/connstring"
	"github.com/windlass-jobs/windlass/jobs/engine"
)

// Service names a process. Each reads its own part of the settings.
type Service string

// The processes.
const (
	API      Service = "api"
	Worker   Service = "worker"
	Embedded Service = "embedded"
	Migrate  Service = "migrate" // the command
)

// The values of Config.Auth.
const (
	AuthOff = "off"
	AuthOn  = "on"
)

// Config is every setting there is. Each comes from the environment variable in its env tag; one that is unset or
// empty has the default in its envDefault tag. The for tag names the services that read it; in the Config of another
// service it is at its default. Durations are written as in Go: 5s, 1m30s, 168h.
type Config struct {
	Service Service `env:"-"`

	// Where to listen. Port 0 is any free one.
	Host    string `env:"HOST" envDefault:"127.0.0.1" for:"api worker embedded"` // a name or IP address, no brackets
	Port    int    `env:"PORT" envDefault:"8000" for:"api embedded"`             // the API
	WebPort int    `env:"WEB_PORT" envDefault:"3000" for:"embedded"`             // the UI, and the API under /api
	// HealthPort serves a worker's /livez, /readyz and /metrics; 0: nothing does.
	HealthPort int `env:"HEALTH_PORT" envDefault:"8001" for:"worker"`
	// AllowedHosts are the names that a request's Host may have: lower case, without port, IPv6 addresses in brackets.
	// The default is localhost, 127.0.0.1, [::1] and HOST.
	AllowedHosts []string `env:"ALLOWED_HOSTS" for:"api embedded"`
	// TrustedOrigins are the origins of web pages elsewhere that may send requests that change something, like
	// https://jobs.example.com.
	TrustedOrigins []string `env:"TRUSTED_ORIGINS" for:"api embedded"`
	// Auth has the API ask for access tokens: off or on. With on it may listen beyond this machine.
	Auth string `env:"AUTH" envDefault:"off" for:"api embedded"`
	// AdminToken is a secret with all rights, the first one of an installation. 20 to 200 visible ASCII characters. It
	// has an effect with AUTH=on only.
	AdminToken string `env:"ADMIN_TOKEN" for:"api embedded" secret:"true" file:"true"`
	// MetricsPublic leaves GET /metrics open where AUTH is on.
	MetricsPublic bool `env:"METRICS_PUBLIC" envDefault:"false" for:"api embedded"`
	// AllowInsecureNoAuth lets a process without access tokens listen beyond this machine.
	AllowInsecureNoAuth bool `env:"ALLOW_INSECURE_NO_AUTH" envDefault:"false" for:"api worker embedded"`

	// Where the data is.
	DatabaseURL string `env:"DATABASE_URL" for:"api worker migrate" secret:"true" file:"true"` // postgres://…
	// Ignored and IgnoredRedis are parameters of the two URLs that are for other programs, and were removed from them.
	Ignored, IgnoredRedis []string `env:"-"`
	// DatabaseSchema is the schema in the database that holds all of Windlass' tables.
	DatabaseSchema string `env:"DATABASE_SCHEMA" envDefault:"windlass" for:"api worker migrate"`
	// AutoMigrate has a process bring the tables up to date when it starts. Where it is false the process waits until
	// somebody else has done so.
	AutoMigrate bool   `env:"AUTO_MIGRATE" envDefault:"true" for:"api worker"`
	RedisURL    string `env:"REDIS_URL" for:"api worker" secret:"true" file:"true"` // redis://…, rediss://…, valkey://…, valkeys://…
	// RedisPrefix begins the names of all keys in Redis. Installations that share a Redis need one each.
	RedisPrefix string `env:"REDIS_PREFIX" envDefault:"windlass" for:"api worker"`
	// Files in PEM form for a REDIS_URL with TLS: who may have signed the server's certificate (the system's
	// authorities if empty), and the certificate and key of this client (none if empty).
	RedisCAFile   string `env:"REDIS_CA_FILE" for:"api worker"`
	RedisCertFile string `env:"REDIS_CERT_FILE" for:"api worker"`
	RedisKeyFile  string `env:"REDIS_KEY_FILE" for:"api worker"`
	DataDir       string `env:"DATA_DIR" envDefault:"./data" for:"embedded"`

	// WorkerConcurrency is how many jobs a worker runs at once, 1 to 10,000.
	WorkerConcurrency int `env:"WORKER_CONCURRENCY" envDefault:"5" for:"worker embedded"`
	// WorkerQueues are the queues of a worker, from WORKER_QUEUES. Empty: all, with the same weight.
	WorkerQueues []engine.QueueWeight `env:"-" for:"worker embedded"`
	// FailRate is how often the built-in job types fail, 0 to 1.
	FailRate float64 `env:"FAIL_RATE" envDefault:"0.2" for:"worker embedded"`

	// Limits in size and time.
	// MaxPayloadBytes is the limit of one job's payload, 1 KiB to 1 MiB.
	MaxPayloadBytes int `env:"MAX_PAYLOAD_BYTES" envDefault:"262144" for:"api embedded"`
	// RequestMemoryBytes is how much memory the bodies and answers of requests may take together, 16 MiB or more. 0: a
	// part of the memory limit of the Go runtime, see httpapi.NewRoom.
	RequestMemoryBytes int64 `env:"REQUEST_MEMORY_BYTES" envDefault:"0" for:"api embedded"`
	// MaxQueues is how many queues there may be, 1 to 1,000,000. A job that would make another one is refused.
	MaxQueues int `env:"MAX_QUEUES" envDefault:"10000" for:"api embedded"`

	// How long things are kept, and may take.
	RetentionCompleted time.Duration `env:"RETENTION_COMPLETED" envDefault:"168h" for:"api worker embedded"`
	RetentionFailed    time.Duration `env:"RETENTION_FAILED" envDefault:"2160h" for:"api worker embedded"`
	RetentionAudit     time.Duration `env:"RETENTION_AUDIT" envDefault:"8760h" for:"api worker embedded"`
	// LeaseTTL is how long a worker that sends no heartbeat keeps its jobs.
	LeaseTTL time.Duration `env:"LEASE_TTL" envDefault:"30s" for:"api worker embedded"`
	// ShutdownTimeout is how long running jobs and requests may take after the first signal.
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"25s" for:"api worker embedded"`
	// ShutdownDelay is how long to go on as before after the signal, so that load balancers notice it.
	ShutdownDelay time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" for:"api worker embedded"`

	// What is logged, and how.
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info" for:"api worker embedded"` // debug, info, warn, error
	// LogJobs is which changes of a job's state are logged: all, failures or none.
	LogJobs engine.LogJobs `env:"LOG_JOBS" envDefault:"all" for:"api worker embedded"`
	// LogFormat is json or text. The default is json, and text for embedded on a terminal.
	LogFormat string `env:"LOG_FORMAT" for:"api worker embedded"`
}

// envQueues is parsed by ParseQueues.
const envQueues = "WORKER_QUEUES"

// Load reads the settings of a service from an environment of NAME=value entries. Its error names each variable that is
// wrong, a line each, and never quotes a secret.
func Load(service Service, environ []string) (Config, error) {
	vars := map[string]string{}
	for name, value := range env.ToMap(environ) {
		if value != "" {
			vars[name] = value
		}
	}
	// What a service does not read must not stop it.
	var unread []error
	for _, s := range settings() {
		if !s.usedBy(service) {
			delete(vars, s.name)
			continue
		}
		if s.file {
			if err := fromFile(vars, s.name); err != nil {
				unread = append(unread, err)
			}
		}
	}
	config := Config{Service: service}
	problems := append(unread, parseProblems(env.ParseWithOptions(&config, env.Options{Environment: vars}))...)
	if value := vars[envQueues]; value != "" {
		queues, err := ParseQueues(value)
		if err != nil {
			problems = append(problems, &settingError{envQueues, err.Error()})
		}
		config.WorkerQueues = queues
	}
	config.tidy()
	problems = append(problems, config.addresses()...)
	problems = append(problems, config.problems(unparsed(problems))...)
	return config, errors.Join(problems...)
}

// maxSecretFile bounds the file of a secret, in bytes.
const maxSecretFile = 64 << 10

// fromFile reads a secret from the file that NAME_FILE names. White space around it is not part of it: editors end a
// file with a line break. Its error names neither the file's content nor a secret.
func fromFile(vars map[string]string, name string) error {
	file := vars[name+"_FILE"]
	if file == "" {
		return nil
	}
	if vars[name] != "" {
		return &settingError{name + "_FILE", "and " + name + " are both set: unset one"}
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxSecretFile {
		return &settingError{name + "_FILE", fmt.Sprintf("names a file of more than %d bytes", maxSecretFile)}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return &settingError{name + "_FILE", "cannot be read: " + err.Error()}
	}
	if vars[name] = strings.TrimSpace(string(raw)); vars[name] == "" {
		return &settingError{name + "_FILE", "names a file that is empty"}
	}
	return nil
}

// tidy brings what may be written in several ways into one form, and fills in the defaults that depend on other
// settings.
func (c *Config) tidy() {
	c.Host = strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]")
	c.Auth = strings.ToLower(c.Auth)
	c.LogFormat, c.LogJobs = strings.ToLower(c.LogFormat), engine.LogJobs(strings.ToLower(string(c.LogJobs)))
	c.AllowedHosts = tidyList(c.AllowedHosts, hostName)
	c.TrustedOrigins = tidyList(c.TrustedOrigins, func(s string) string { return strings.TrimSuffix(s, "/") })
	if len(c.AllowedHosts) > 0 {
		return
	}
	c.AllowedHosts = []string{"localhost", "127.0.0.1", "[::1]"}
	own := hostName(c.Host)
	if ip := net.ParseIP(c.Host); ip != nil && ip.IsUnspecified() {
		return // nobody's name
	}
	for _, host := range c.AllowedHosts {
		if host == own {
			return
		}
	}
	c.AllowedHosts = append(c.AllowedHosts, own)
}

// addresses reads the URLs of the database and of Redis, and brings them into one form.
func (c *Config) addresses() (problems []error) {
	if c.DatabaseURL != "" {
		address, ignored, err := connstring.Postgres(c.DatabaseURL)
		if err != nil {
			problems = append(problems, &settingError{"DATABASE_URL", err.Error()})
		}
		c.DatabaseURL, c.Ignored = address, ignored
	}
	if c.RedisURL != "" {
		u, ignored, err := connstring.Redis(c.RedisURL)
		if err != nil {
			problems = append(problems, &settingError{"REDIS_URL", err.Error()})
			c.RedisURL = ""
			return problems
		}
		c.RedisURL, c.IgnoredRedis = u.String(), ignored
	}
	return problems
}

func tidyList(list []string, tidy func(string) string) []string {
	var tidied []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			tidied = append(tidied, tidy(s))
		}
	}
	return tidied
}

// hostName writes a host as it stands in a Host header.
func hostName(s string) string {
	s = strings.ToLower(s)
	if ip := net.ParseIP(s); ip != nil && strings.Contains(s, ":") {
		return "[" + s + "]"
	}
	return s
}

// setting is a field of Config, by reflection.
type setting struct {
	name     string // of the environment variable
	services []string
	secret   bool
	file     bool // its value may be in a file, which NAME_FILE names
	index    int
}

func (s setting) usedBy(service Service) bool {
	for _, name := range s.services {
		if name == string(service) {
			return true
		}
	}
	return false
}

// settings lists the fields of Config that come from the environment.
func settings() []setting {
	var list []setting
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		s := setting{name: f.Tag.Get("env"), services: strings.Fields(f.Tag.Get("for")),
			secret: f.Tag.Get("secret") != "", file: f.Tag.Get("file") != "", index: i}
		switch {
		case f.Name == "WorkerQueues":
			s.name = envQueues
		case len(s.services) == 0:
			continue
		}
		list = append(list, s)
	}
	return list
}

// LogValue shows the settings that the service reads, by the name of their variable, with secrets masked.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	v := reflect.ValueOf(c)
	for _, s := range settings() {
		if !s.usedBy(c.Service) {
			continue
		}
		text := fmt.Sprint(v.Field(s.index).Interface())
		switch field := v.Field(s.index).Interface().(type) {
		case []string:
			text = strings.Join(field, ",")
		case []engine.QueueWeight:
			text = formatQueues(field)
		}
		if s.secret {
			if text = connstring.Masked(text); s.name == "ADMIN_TOKEN" && text != "" {
				text = "***" // it is no URL, whatever it looks like
			}
		}
		attrs = append(attrs, slog.String(s.name, text))
	}
	return slog.GroupValue(attrs...)
}
