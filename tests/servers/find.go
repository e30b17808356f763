package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
)

// postgresDirs are the folders where packages install the server programs of PostgreSQL, if not in PATH.
var postgresDirs = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // Red Hat, from the PostgreSQL project
	"/usr/libexec/postgresql*",          // Alpine
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on ARM
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // built from source
}

// redisNames are the server programs that speak the Redis protocol. Newer distributions ship Valkey instead of Redis.
var redisNames = []string{"redis-server", "valkey-server"}

// programDirs are where packages put other servers.
var programDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"}

// Missing names the servers that are not installed: "postgresql", "redis", "pgbouncer".
func Missing() []string {
	var names []string
	if _, err := findPostgres(); err != nil {
		names = append(names, "postgresql")
	}
	if _, err := findRedis(); err != nil {
		names = append(names, "redis")
	}
	if _, err := findPgBouncer(); err != nil {
		names = append(names, "pgbouncer")
	}
	return names
}

// findPostgres returns the folder of initdb and postgres. It looks at TEST_POSTGRES_BIN, then in PATH, then in
// postgresDirs for the newest version.
func findPostgres() (string, error) {
	if dir := os.Getenv(EnvPostgresBin); dir != "" {
		if !executable(filepath.Join(dir, "initdb")) || !executable(filepath.Join(dir, "postgres")) {
			return "", fmt.Errorf("the folder in %s has no initdb and postgres", EnvPostgresBin)
		}
		return dir, nil
	}
	if path, err := exec.LookPath("postgres"); err == nil && executable(filepath.Join(filepath.Dir(path), "initdb")) {
		return filepath.Dir(path), nil
	}
	for _, pattern := range postgresDirs {
		dirs, _ := filepath.Glob(pattern)
		slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
		for _, dir := range dirs {
			if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
				return dir, nil
			}
		}
	}
	return "", errors.New("initdb and postgres (the PostgreSQL server) are not installed: `make test` installs them")
}

func findRedis() (string, error) {
	return findProgram(redisNames...)
}

func findPgBouncer() (string, error) { return findProgram("pgbouncer") }

// findProgram returns the path of the first of these programs that is installed.
func findProgram(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		for _, dir := range programDirs {
			if path := filepath.Join(dir, name); executable(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed: `make test` installs it", names[0])
}

var digits = regexp.MustCompile(`[0-9]+`)

// version returns the first number in a path, or 0.
func version(path string) int {
	n, _ := strconv.Atoi(digits.FindString(path))
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// FreePort picks a port for a program that a test starts by itself.
func FreePort() (int, error) { return freePort() }

// freePort picks a port that is free now. It is below the range that operating systems use for outgoing connections,
// so none of these takes the port while its server is down.
func freePort() (int, error) {
	for range 200 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("found no free port between 20000 and 32000")
}

// onFreePort calls start with a free port. It tries another port where a program took the first one in the meantime.
func onFreePort(start func(port int) error) error {
	var err error
	for range 10 {
		port, perr := freePort()
		if perr != nil {
			return perr
		}
		if err = start(port); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// unprivileged returns the user to run PostgreSQL as, because it refuses to run as root. Nil means: the current user.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil && uid != 0 {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// tempRoot returns the folder for temporary files: the usual one, or /tmp if we are root and other users cannot enter
// it.
func tempRoot() string {
	root := os.TempDir()
	if os.Geteuid() != 0 {
		return root
	}
	for dir, err := filepath.Abs(root); err == nil; dir = filepath.Dir(dir) {
		if info, serr := os.Stat(dir); serr != nil || info.Mode()&0o001 == 0 {
			return "/tmp"
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return root
}
