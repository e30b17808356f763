package servers

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// PgBouncer starts a PgBouncer in transaction mode in front of the server of a database URL, and returns the URL
// through it. size is the number of server connections for each pair of database and role. extra are lines of its
// configuration. PgBouncer ends with the test.
func PgBouncer(t testing.TB, target string, size int, extra ...string) string {
	t.Helper()
	return PgBouncerFor(t, target, size, nil, extra...)
}

// PgBouncerFor is PgBouncer that lets other roles in too. They must have the password of the URL's role.
func PgBouncerFor(t testing.TB, target string, size int, roles []string, extra ...string) string {
	t.Helper()
	through, p, err := newPgBouncer(target, size, roles, extra)
	if err != nil {
		t.Fatalf("no PgBouncer for the test: %v", err)
	}
	t.Cleanup(p.destroy)
	return through
}

func newPgBouncer(target string, size int, roles, extra []string) (string, *process, error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", nil, fmt.Errorf("the URL of the database: %w", err)
	}
	bin, err := findPgBouncer()
	if err != nil {
		return "", nil, err
	}
	cred, err := unprivileged()
	if err != nil {
		return "", nil, err
	}
	dir, err := serverDir("pgbouncer-")
	if err != nil {
		return "", nil, err
	}
	p := &process{name: "PgBouncer", dir: dir, bin: bin, cred: cred, term: syscall.SIGTERM}
	password, _ := u.User.Password()
	err = onFreePort(func(port int) error {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		p.ready = func(int) bool {
			conn, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				conn.Close()
			}
			return err == nil
		}
		config := fmt.Sprintf("[databases]\n* = host=%s port=%s password=%s\n"+
			"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\nauth_type=trust\nauth_file=%s\n"+
			"pool_mode=transaction\nmax_client_conn=500\ndefault_pool_size=%d\n",
			u.Hostname(), u.Port(), password, port, filepath.Join(dir, "users"), size)
		for _, line := range extra {
			config += line + "\n"
		}
		users := fmt.Sprintf("%q %q\n", u.User.Username(), password)
		for _, role := range roles {
			users += fmt.Sprintf("%q %q\n", role, password)
		}
		for name, text := range map[string]string{"config": config, "users": users} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
			if cred != nil {
				if err := os.Chown(path, int(cred.Uid), int(cred.Gid)); err != nil {
					return err
				}
			}
		}
		p.args = []string{filepath.Join(dir, "config")}
		u.Host = addr
		return p.start()
	})
	if err != nil {
		removeAll(dir)
		return "", nil, err
	}
	return u.String(), p, nil
}
