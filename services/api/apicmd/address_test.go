package apicmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// output collects what a process says. It is safe for several goroutines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// lookups takes the place of the name server, and notes what is asked for: the names of hosts that are dialled.
type lookups struct{ output }

func (l *lookups) dial(context.Context, string, string) (net.Conn, error) {
	return &question{l: l}, nil
}

type question struct {
	net.Conn
	l *lookups
}

// Write notes the name of a query, behind the length of the message and its head. Its parts follow their lengths.
func (q *question) Write(p []byte) (int, error) {
	var name []byte
	for rest := p[min(len(p), 14):]; len(rest) > 0 && rest[0] > 0 && int(rest[0]) < len(rest); rest = rest[rest[0]+1:] {
		name = append(append(name, rest[1:rest[0]+1]...), '.')
	}
	_, _ = q.l.output.Write(append(name, '\n'))
	return 0, errors.New("no name server in this test")
}

func (*question) Read([]byte) (int, error)         { return 0, io.EOF }
func (*question) Close() error                     { return nil }
func (*question) SetDeadline(time.Time) error      { return nil }
func (*question) SetReadDeadline(time.Time) error  { return nil }
func (*question) SetWriteDeadline(time.Time) error { return nil }
func (*question) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (*question) RemoteAddr() net.Addr             { return &net.UDPAddr{} }

// secret has every 4 characters only once in the world, and nothing that needs to be escaped.
const secret = "xK9vQz7wJ2pYhR4n"

// torn is a secret as people paste it, with what means something in a URL.
func torn(with string) string { return secret[:8] + with + secret[8:] }

// What providers hand out works, or stops the process at its start with a sentence that names the variable. In any case
// no part of the password is in the log, an error, /readyz or an answer, or is looked up as the name of a host.
func TestAddressesOfProviders(t *testing.T) {
	asked := &lookups{}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: asked.dial}
	t.Cleanup(func() { net.DefaultResolver = before })

	const rds = "sslmode=verify-full&sslrootcert=/nowhere/global-bundle.pem"
	long := strings.Repeat(secret, 70) // a token of IAM
	databaseWorks := []string{
		"postgres://u:" + secret + "@HOST:5432/d",
		"postgresql://u:" + secret + "@HOST/d?sslmode=require",
		"\"postgres://u:" + secret + "@HOST:5432/d\"\n",
		" 'postgres://u:" + secret + "@HOST:5432/d' \r\n",
		"psql 'postgresql://u:" + secret + "@HOST/neondb?sslmode=require&channel_binding=require'",
		"postgres://u:" + secret + "@HOST/d?options=endpoint%3Dep-cool-1&sslmode=require",
		"postgres://postgres.abc:" + secret + "@HOST:6543/postgres?pgbouncer=true&connection_limit=1",
		"postgres://u:" + secret + "@HOST:5432/postgres?supa=base-pooler.x&workaround=supabase-pooler",
		"postgres://u:" + secret + "@HOST/d?schema=public&pool_timeout=0&gssencmode&keepalives_idle=30",
		"postgres://u:" + secret + "@HOST/d?target_session_attrs=read-write&gssencmode=disable",
		"postgres://u:" + secret + "@HOST/d?target_session_attrs&keepalives=1",
		"postgres://u:" + secret + "@HOST/d?ssl=true",
		"postgresql+psycopg2://u:" + secret + "@HOST/d",
		"postgres://root:" + secret + "@HOST:26257/defaultdb?options=--cluster%3Dtall-1&sslmode=require",
		"postgres://u%40srv:" + secret + "@HOST/d?sslmode=require",
		"postgres://u:" + long + "@HOST:5432/d?sslmode=require",
		"postgres://u:" + torn("@") + "@HOST/d",
		"postgres://u:" + torn(":") + "@HOST/d",
		"postgres://u:" + torn("%40%2F%3F%23%25") + "@HOST/d",
		"postgres://HOST/d?user=u&password=" + secret,
		"host=HOST port=5432 user=u password=" + secret + " dbname=d sslmode=require",
		"host=HOST user=u password='" + torn(` @/?#\'\\ `) + "' dbname=d connect_timeout=3",
	}
	databaseStops := [][2]string{ // and the start of the error
		{"postgres://u:" + secret + "@HOST/d?" + rds,
			"DATABASE_URL: the database URL: "},
		{"postgres://u:" + secret + "@HOST/d?sslmode=no-verify",
			"DATABASE_URL: the database URL: "},
		{"postgres://u:" + secret + "@HOST/d?target_session_attrs=writer",
			"DATABASE_URL: the database URL: "},
		{"postgres://u:" + secret + "@HOST:54x2/d",
			"DATABASE_URL must be"},
		{"postgres://u:" + torn("/") + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres://u:" + torn("?") + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres://u:" + torn("#") + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres://u:" + torn("%") + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres://u:" + torn("@/") + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres://u:" + torn(" ") + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres://u:12/" + secret + "@HOST/d",
			"DATABASE_URL must be"},
		{"postgres:u:" + secret + "@HOST/d",
			"DATABASE_URL must be"},
		{"mysql://u:" + secret + "@HOST/d",
			"DATABASE_URL must be"},
		{"jdbc:postgresql://HOST/d?user=u&password=" + secret,
			"DATABASE_URL must be"},
		{"postgres://HOST/d?password=" + torn("&") + "=1",
			"DATABASE_URL has something behind the password"},
		{"postgres://HOST/d?user=u&password=" + torn("%") + "zz",
			"DATABASE_URL has a parameter that cannot be read"},
		{"host=HOST password=" + torn(" ") + " dbname=d",
			"DATABASE_URL must be"},
		{"host=HOST password=" + torn(" ") + "=d",
			"DATABASE_URL has something behind the password"},
		{"host=HOST password='" + secret,
			"DATABASE_URL must be"},
		{secret,
			"DATABASE_URL must be"},
	}
	redisWorks := []string{
		"redis://default:" + secret + "@HOST:6379",
		"rediss://:" + secret + "@HOST:6380/0?ssl_cert_reqs=none",
		"redis://" + secret + "@HOST:6379",
		"valkey://u:" + secret + "@HOST:6379/1",
		"valkeys://u:" + secret + "@HOST:6379",
		"redis+tls://u:" + secret + "@HOST:6379",
		"'redis://u:" + secret + "@HOST:6379/0'\n",
		"redis-cli --tls -u redis://default:" + secret + "@HOST:6379",
		"redis://u:" + secret + "@HOST:6379/0?family=6&ssl=true",
		"redis://u:" + secret + "@HOST:6379?dial_timeout=1s&db=3",
		"redis://u:" + torn("@") + "@HOST:6379",
		"redis://HOST:6379?master_name=m&password=" + torn("&"),
	}
	redisStops := [][2]string{ // and the start of the error
		{"redis://HOST:6379?cluster=true&username=u&password=" + secret,
			"REDIS_URL: "},
		{"redis://u:" + torn("/") + "@HOST:6379",
			"REDIS_URL must be"},
		{"redis://:" + torn("?") + "@HOST:6379",
			"REDIS_URL must be"},
		{"redis://:" + torn("#") + "@HOST:6379",
			"REDIS_URL must be"},
		{"redis://:" + torn("%") + "@HOST:6379",
			"REDIS_URL must be"},
		{"redis://u:" + secret + "@HOST:6379/zero",
			"REDIS_URL: "},
		{"redis://u:" + secret + "@HOST:6379?pool_size=many",
			"REDIS_URL: "},
		{"redis://u:" + secret + "@HOST:6379?no_such=1",
			"REDIS_URL has the parameter no_such, which is unknown"},
		{"redis://HOST:6379?master_name=m&password=" + torn("&") + "=1",
			"REDIS_URL has something behind the password"},
		{"redis://u:" + secret + "@HOST:6379,other:6379",
			"REDIS_URL names several hosts"},
		{"https://HOST:6379?token=" + secret,
			"REDIS_URL must be"},
		{secret + "@HOST:6379",
			"REDIS_URL must be"},
		{"HOST:6380,password=" + secret + ",ssl=True,abortConnect=False",
			"REDIS_URL must be"},
	}
	n := 0
	try := func(which, text, want string, environ ...string) {
		n++
		host := fmt.Sprintf("host%d.example.invalid.", n)
		t.Run(which+" "+strings.ReplaceAll(text, secret, "***"), func(t *testing.T) {
			t.Parallel()
			out := &output{}
			environ = append(environ, which+"="+strings.ReplaceAll(text, "HOST", strings.TrimSuffix(host, ".")))
			stopped := talk(t, out, environ, func() bool { return strings.Contains(asked.String(), host) })
			if want != "" && !strings.HasPrefix(stopped, want) {
				t.Errorf("stopped with %q, want %q", stopped, want)
			}
			if want == "" && stopped != "" {
				t.Errorf("stopped with %q", stopped)
			}
			if want == "" && !strings.Contains(asked.String(), host) {
				t.Errorf("the host was not looked up:\n%s", out)
			}
			if strings.Count(strings.TrimSpace(stopped), "\n") > 0 {
				t.Errorf("more than a line: %q", stopped)
			}
			said := out.String() + stopped
			for i := range len(secret) - 3 {
				if part := secret[i : i+4]; strings.Contains(said, part) {
					t.Fatalf("%q of the password is in the output:\n%s", part, strings.ReplaceAll(said, part, "<<"+part+">>"))
				}
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		const nowhere, nothing = "DATABASE_URL=postgres://u@127.0.0.1:1/d?sslmode=disable", "REDIS_URL=redis://127.0.0.1:1"
		for _, text := range databaseWorks {
			try("DATABASE_URL", text, "", nothing)
		}
		for _, c := range databaseStops {
			try("DATABASE_URL", c[0], c[1], nothing)
		}
		for _, text := range redisWorks {
			try("REDIS_URL", text, "", nowhere)
		}
		for _, c := range redisStops {
			try("REDIS_URL", c[0], c[1], nowhere)
		}
	})
	names := strings.ToLower(asked.String())
	for i := range len(secret) - 3 {
		if part := strings.ToLower(secret[i : i+4]); strings.Contains(names, part) {
			t.Fatalf("%q of the password was looked up:\n%s", part, names)
		}
	}
}

var listening = regexp.MustCompile(`url=(http://[0-9.:]+)`)

// talk starts an api, asks it for what it says to strangers, and stops it when done is true. It returns why the api
// stopped by itself.
func talk(t *testing.T, out *output, environ []string, done func() bool) string {
	t.Helper()
	config, err := settings.Load(settings.API, append(environ, "PORT=0", "SHUTDOWN_TIMEOUT=1s"))
	if err != nil {
		return err.Error()
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	log.Info("starting", "settings", config, "ignored", config.Ignored)
	// The api needs Redis once the database is there. Here it is not, so somebody else asks.
	if q, err := redis.Open(t.Context(), redis.Options{URL: config.RedisURL, Log: log}); err == nil {
		_, err = q.Inspect(t.Context())
		fmt.Fprintln(out, err)
		_ = q.Close()
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, config, log) }()
	defer stop()
	deadline := time.Now().Add(10 * time.Second)
	for asked := false; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			if err == nil {
				return "without an error"
			}
			return err.Error()
		default:
		}
		if at := listening.FindStringSubmatch(out.String()); at != nil && !asked {
			asked = true
			for _, path := range []string{"/readyz", "/metrics", "/jobs"} {
				u, _ := url.JoinPath(at[1], path)
				if r, err := http.Get(u); err == nil {
					_, _ = io.Copy(out, r.Body)
					_ = r.Body.Close()
				}
			}
		}
		if asked && done() {
			break
		}
	}
	stop()
	<-ended
	return ""
}
