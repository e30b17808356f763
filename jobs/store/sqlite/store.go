// Package sqlite keeps jobs in a SQLite database inside of the program: the same contract (store.Store) as the
// PostgreSQL driver, without a server.
//
// It is not for several processes: a lock file gives the directory to one process. All writes go through one
// connection, one transaction at a time. A write is durable when its call returns (WAL, synchronous=FULL). Reads have
// connections of their own and never wait for a write.
//
// The application can take part in a transaction of the Store, and keep its own tables in the same file: see Store.Tx.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver's name is "sqlite"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// The files in the Store's directory; SQLite adds windlass.db-wal and windlass.db-shm.
const (
	dataFile = "windlass.db"
	lockFile = "windlass.lock"
)

// readers is how many reads run at once.
const readers = 4

// Store is a store.Store on a SQLite file. Open returns one.
type Store struct {
	write *sql.DB
	conn  *sql.Conn // the one connection that writes
	stmts statements
	turn  chan struct{}             // full while a transaction is open; who waits is served in order
	open  atomic.Pointer[callersTx] // the transaction of the application that has the turn
	read  *sql.DB

	lock   *os.File
	closed atomic.Bool
	gone   chan struct{} // closed by Close
	ending sync.Once
	wall   func() time.Time
	latest atomic.Int64 // the newest time that now has returned, in microseconds

	repairing sync.Mutex  // held by Repair
	walked    store.Place // where dueQueues goes on; the zero Place: at the first queue
}

var (
	_ store.Store         = (*Store)(nil)
	_ store.Transactional = (*Store)(nil)
)

// Options configure a Store.
type Options struct {
	Dir string           // is created if it is missing; one process at a time may use it
	Now func() time.Time // the wall clock; nil: time.Now
}

// Open locks the directory for this process and applies the pending migrations. Then it marks all sessions of earlier
// processes dead, so that their jobs can be reaped at once, and frees their roles.
//
// It fails if another process, or another Store of this process, has the directory. jobs.ErrUnavailable: the disk is
// full, or the database file is damaged or cannot be used.
func Open(ctx context.Context, o Options) (*Store, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open store in %q: %w", o.Dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := lockDir(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open store in %s: %w", dir, err)
	}
	s := &Store{turn: make(chan struct{}, 1), gone: make(chan struct{}), lock: lock, wall: o.Now}
	if s.wall == nil {
		s.wall = time.Now
	}
	if err := s.start(ctx, filepath.Join(dir, dataFile)); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open store in %s: %w", dir, translate(err))
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, file string) (err error) {
	if err := keepPrivate(file); err != nil {
		return err
	}
	// A transaction takes the write lock when it begins. If it took the lock at its first write, that write could fail.
	s.write, err = sql.Open("sqlite", dsn(file, "immediate",
		"synchronous(FULL)", "foreign_keys(1)", "journal_size_limit(67108864)", "cache_size(-32768)")) // 64 MiB, 32 MiB
	if err != nil {
		return err
	}
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return err
	}
	s.stmts.from = s.conn
	if s.read, err = sql.Open("sqlite", dsn(file, "deferred", "query_only(1)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	return s.change(ctx, "end earlier sessions", func(tx *tx) error {
		// The process that had them is gone, and did not end them.
		if _, err := tx.exec(`UPDATE worker_sessions SET state = 'dead', dead_at = ?1, expires_at = min(expires_at, ?1)
			WHERE state <> 'dead'`, tx.now); err != nil {
			return err
		}
		// A process that was killed keeps its role until the lease expires. Nothing would be fed or reaped until then.
		_, err := tx.exec(`DELETE FROM leases`)
		return err
	})
}

// keepPrivate gives the database files the mode 0600, whatever the mode of the directory, because payloads may be
// secret. SQLite would create the database file with the mode 0644. It gives the -wal and -shm files the mode of the
// database file.
func keepPrivate(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		// Only the owner of a file can change its mode. If another user owns it, the mode is that user's choice.
		if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// dsn names the file and the settings of each connection. transactions is how they begin: deferred or immediate.
func dsn(file, transactions string, pragmas ...string) string {
	settings := url.Values{
		"_txlock": {transactions},
		"_pragma": append([]string{"busy_timeout(5000)", "journal_mode(WAL)"}, pragmas...),
	}
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") { // a drive's letter comes first on Windows
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: settings.Encode()}).String()
}

// Ping reads a row from the database. An error means that the database does not answer.
func (s *Store) Ping(ctx context.Context) error {
	return s.view(ctx, "ping", func(q query) error {
		var n int
		_, err := first(q, []any{&n}, `SELECT count(*) FROM totals`)
		return err
	})
}

// Close waits for the open transaction, closes the database and unlocks the directory. Calls after it fail with
// jobs.ErrUnavailable. A second Close does nothing.
func (s *Store) Close() (err error) {
	s.ending.Do(func() {
		s.closed.Store(true)
		close(s.gone)
		s.turn <- struct{}{} // never freed: nothing may write after this
		errs := []error{s.stmts.close()}
		if s.read != nil {
			errs = append(errs, s.read.Close())
		}
		if s.conn != nil {
			errs = append(errs, s.conn.Close())
		}
		if s.write != nil {
			errs = append(errs, s.write.Close()) // the last connection writes the -wal file into the database
		}
		errs = append(errs, s.lock.Close()) // frees the lock, last of all
		if err = errors.Join(errs...); err != nil {
			err = fmt.Errorf("close store: %w", err)
		}
	})
	return err
}

// now is the Store's clock in microseconds. It is the wall clock, but never goes back while the process runs.
func (s *Store) now() int64 {
	for {
		latest := s.latest.Load()
		now := max(latest, s.wall().UnixMicro())
		if s.latest.CompareAndSwap(latest, now) {
			return now
		}
	}
}
