package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// authority is a private certificate authority, in files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	a.cert = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign},
		a.key)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// path is that of a file of the authority.
func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

// issue writes name.crt and name.key.
func (a *authority) issue(name string) {
	a.sign(name, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.newKey())
}

func (a *authority) sign(name string, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent = template // it signs itself
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".crt", "CERTIFICATE", raw)
	a.write(name+".key", "PRIVATE KEY", private)
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) write(file, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// startTLS starts a Redis that wants certificates from its clients, and returns its URL.
func startTLS(t *testing.T, a *authority, args ...string) string {
	t.Helper()
	a.issue("server")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server := servers.StartRedis(t, append([]string{"--tls-port", port, "--tls-ca-cert-file", a.path("ca.crt"),
		"--tls-cert-file", a.path("server.crt"), "--tls-key-file", a.path("server.key")}, args...)...)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme, u.Host = "rediss", net.JoinHostPort("127.0.0.1", port)
	return u.String()
}

func TestTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	address := startTLS(t, a)
	a.issue("client")
	stranger.issue("client")
	valkey := strings.Replace(address, "rediss://", "valkeys://", 1)
	for _, c := range []struct {
		name    string
		options redis.Options
		want    string // of the error; empty: there is none
	}{
		{"with all files", redis.Options{URL: address, CAFile: a.path("ca.crt"), CertFile: a.path("client.crt"),
			KeyFile: a.path("client.key")}, ""},
		{"valkeys", redis.Options{URL: valkey, CAFile: a.path("ca.crt"), CertFile: a.path("client.crt"),
			KeyFile: a.path("client.key")}, ""},
		{"without the CA", redis.Options{URL: address, CertFile: a.path("client.crt"), KeyFile: a.path("client.key")},
			"unknown authority"},
		{"another CA", redis.Options{URL: address, CAFile: stranger.path("ca.crt"), CertFile: a.path("client.crt"),
			KeyFile: a.path("client.key")},
			"unknown authority"},
		{"without a certificate", redis.Options{URL: address, CAFile: a.path("ca.crt")}, "push"}, // the server hangs up
		{"another's certificate", redis.Options{
			URL: address, CAFile: a.path("ca.crt"), CertFile: stranger.path("client.crt"), KeyFile: stranger.path("client.key"),
		}, "push"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := redis.Open(t.Context(), c.options)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			if c.want != "" {
				_, err := q.Push(t.Context(), hints(1))
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("push: %v, want %q", err, c.want)
				}
				return
			}
			for name, call := range calls(q) {
				if name == "wait" {
					continue
				}
				if err := call(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}

	t.Run("a certificate that is renewed", func(t *testing.T) {
		q, err := redis.Open(t.Context(), redis.Options{
			URL: address, CAFile: a.path("ca.crt"), CertFile: stranger.path("client.crt"), KeyFile: stranger.path("client.key"),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if err := q.Ping(t.Context()); err == nil {
			t.Fatal("the server took another's certificate")
		}
		for _, file := range []string{"client.crt", "client.key"} {
			content, err := os.ReadFile(a.path(file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(stranger.path(file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "a connection with the new certificate", func() bool { return q.Ping(t.Context()) == nil })
	})
}

func TestTLSFilesAreCheckedAtOpen(t *testing.T) {
	a := newAuthority(t)
	a.issue("client")
	noPEM := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	const address = "rediss://:hunter2@127.0.0.1"
	for _, c := range []struct {
		options redis.Options
		want    string
	}{
		{redis.Options{URL: "redis://:hunter2@127.0.0.1", CAFile: a.path("ca.crt")}, "rediss://"},
		{redis.Options{URL: address, CAFile: a.path("nowhere")}, "nowhere"},
		{redis.Options{URL: address, CAFile: noPEM}, "no certificate"},
		{redis.Options{URL: address, CertFile: a.path("client.crt")}, "both"},
		{redis.Options{URL: address, KeyFile: a.path("client.key")}, "both"},
		{redis.Options{URL: address, CertFile: a.path("client.crt"), KeyFile: a.path("ca.key")}, "does not match"},
	} {
		q, err := redis.Open(t.Context(), c.options)
		if err == nil {
			_ = q.Close()
			t.Errorf("%+v is accepted", c.options)
		} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %q, want %q in it", err, c.want)
		}
	}
}

// TestWithoutTheChannel has a user that may use the keys, but not the channel: Bus and Queue fail apart.
func TestWithoutTheChannel(t *testing.T) {
	server := servers.StartRedis(t)
	err := raw(t, server.URL).Do(t.Context(), "ACL", "SETUSER", "keys", "on", ">secret", "~{windlass}:*", "+@all",
		"-@dangerous", "+info").Err()
	if err != nil {
		t.Fatal(err)
	}
	q := strict(t, "redis://keys:secret@"+server.Addr+"/0")
	for name, call := range calls(q) {
		if name == "wait" {
			continue
		}
		switch err := call(t.Context()); name {
		case "publish", "subscribe":
			if err == nil || !strings.Contains(err.Error(), "NOPERM") {
				t.Errorf("%s: %v, want NOPERM", name, err)
			}
		default:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestRegister(t *testing.T) {
	address := servers.Redis(t)
	register := func(q *redis.Queue, id string, want bool) {
		t.Helper()
		warning, err := q.Register(t.Context(), id)
		if err != nil || (warning != "") != want || want && !strings.Contains(warning, "REDIS_PREFIX") {
			t.Errorf("Register(%s) = %q, %v; want a warning: %v", id, warning, err, want)
		}
	}
	one, two := open(t, address, "shared", 0), open(t, address, "shared", 0)
	other := open(t, address, "alone", 0)
	for range 2 {
		register(one.Queue, "a", false)
		register(two.Queue, "a", false) // another process of the same installation
		register(other.Queue, "b", false)
	}
	register(two.Queue, "b", false) // it does not know yet whether a is still there
	register(one.Queue, "a", true)
	register(two.Queue, "b", true)
	register(one.Queue, "a", true)
	// b goes away.
	register(one.Queue, "a", false)
	register(one.Queue, "a", false)
	if ttl := one.raw.PTTL(t.Context(), one.key("installations")).Val(); ttl <= 0 || ttl > 30*time.Second {
		t.Errorf("the note of installations lasts %s", ttl)
	}
	one.do("ZADD", one.key("installations"), 1, "long-gone")
	register(one.Queue, "a", false)
	if n := one.raw.ZCard(t.Context(), one.key("installations")).Val(); n != 2 {
		t.Errorf("%d installations are noted, want a and b", n)
	}
}
