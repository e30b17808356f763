package servers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

const (
	postgresUser = "windlass"
	// envTemplate names the folder of a template that another process has made. It exists as long as that process.
	envTemplate = "WINDLASS_TEST_TEMPLATE"
)

// made is the template of this process. initdb takes 1 to 3 seconds, a copy of its result a tenth of that.
var made struct {
	sync.Mutex
	bin, dir, password string
}

// postgresTemplate returns a folder with an initialised, never started data directory in "data", and its superuser's
// password.
func postgresTemplate(bin string, cred *syscall.Credential) (dir, password string, err error) {
	made.Lock()
	defer made.Unlock()
	if made.dir != "" && made.bin == bin {
		if _, err := os.Stat(made.dir); err == nil {
			return made.dir, made.password, nil
		}
	}
	dir = os.Getenv(envTemplate)
	if from, err := os.ReadFile(filepath.Join(dir, "bin")); dir == "" || err != nil || string(from) != bin {
		if dir, err = initTemplate(bin, cred); err != nil {
			return "", "", err
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "password"))
	if err != nil {
		return "", "", err
	}
	made.bin, made.dir, made.password = bin, dir, string(raw)
	return made.dir, made.password, nil
}

// initTemplate runs initdb.
func initTemplate(bin string, cred *syscall.Credential) (string, error) {
	if err := startGuard(); err != nil { // the guard removes the files
		return "", err
	}
	dir, err := serverDir("template-")
	if err != nil {
		return "", err
	}
	// Even a temporary server needs a password: other users of this machine can reach the port, and a superuser of
	// PostgreSQL can run programs.
	password := rand.Text()
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "bin"), []byte(bin), 0o600),
		os.WriteFile(filepath.Join(dir, "password"), []byte(password), 0o600),
		os.Mkdir(filepath.Join(dir, "data"), 0o700),
	)
	if err != nil {
		return "", err
	}
	// initdb may run as another user, and reads the password from a file.
	if err := giveTo(cred, filepath.Join(dir, "data"), filepath.Join(dir, "password")); err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(bin, "initdb"),
		"-D", filepath.Join(dir, "data"), "-U", postgresUser, "-A", "password", "--pwfile", filepath.Join(dir, "password"),
		"-E", "UTF8", "--no-locale", "--no-sync")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LANG=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return dir, nil
}

// copyTree copies a data directory. It handles folders and regular files only.
func copyTree(from, to string, cred *syscall.Credential) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			err = os.Mkdir(target, 0o700)
		} else {
			err = copyFile(path, target)
		}
		if err != nil {
			return err
		}
		return giveTo(cred, target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// giveTo makes the user that the server runs as the owner of files.
func giveTo(cred *syscall.Credential, paths ...string) error {
	if cred == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(cred.Uid), int(cred.Gid)); err != nil {
			return err
		}
	}
	return nil
}
