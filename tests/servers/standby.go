package servers

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Standby starts a standby of this server, which it stops for a moment to copy its files. The standby follows by
// streaming replication and answers reads, until Promote. Commits of this server do not wait for it. It ends with the
// test.
func (s *PostgresServer) Standby(t testing.TB) *PostgresServer {
	t.Helper()
	standby, err := newStandby(s)
	if err != nil {
		t.Fatalf("no standby for the test: %v", err)
	}
	standby.t = t
	t.Cleanup(standby.destroy)
	return standby
}

// Promote makes a standby a primary, and waits until it takes writes.
func (s *PostgresServer) Promote(t testing.TB) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var promoted bool
	if err := conn.QueryRow(t.Context(), "SELECT pg_promote()").Scan(&promoted); err != nil || !promoted {
		t.Fatalf("promote the standby: %t, %v", promoted, err)
	}
}

func newStandby(primary *PostgresServer) (*PostgresServer, error) {
	u, err := url.Parse(primary.URL)
	if err != nil {
		return nil, err
	}
	password, _ := u.User.Password()
	dir, err := serverDir("standby-")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := primary.stop(); err != nil {
		return nil, err
	}
	err = copyTree(filepath.Join(primary.dir, "data"), data, primary.cred)
	if serr := primary.start(); err == nil {
		err = serr
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o600)
	}
	if err == nil {
		err = giveTo(primary.cred, data, filepath.Join(data, "standby.signal"))
	}
	if err != nil {
		removeAll(dir)
		return nil, err
	}
	s := &PostgresServer{template: primary.template, process: &process{
		name: "the standby", dir: dir, bin: primary.bin, cred: primary.cred, term: primary.term,
		ready: func(pid int) bool { return postmasterReady(data, pid) },
	}}
	err = onFreePort(func(port int) error {
		s.Addr = "127.0.0.1:" + strconv.Itoa(port)
		own := *u
		own.Host = s.Addr
		s.URL = own.String()
		s.args = append([]string{"-D", data}, primary.args[2:]...)
		// The last value of a setting counts.
		s.args = append(s.args, "-c", "port="+strconv.Itoa(port), "-c", "synchronous_standby_names=", "-c",
			fmt.Sprintf("primary_conninfo=host=%s port=%s user=%s password=%s application_name=standby", u.Hostname(),
				u.Port(), u.User.Username(), password))
		return s.start()
	})
	if err != nil {
		removeAll(dir)
		return nil, err
	}
	return s, nil
}
