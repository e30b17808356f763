package systems

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"
	_ "modernc.org/sqlite" // all systems use this driver
)

// goqiteSchema is the table that goqite needs. We have our own copy because its module does not export it.
//
//go:embed goqite.sql
var goqiteSchema string

// sqliteSettings is the text for the settings of all systems on SQLite: a commit is on the disk when it returns.
const sqliteSettings = "SQLite, WAL, synchronous=FULL"

func openSQLite(file string) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-32768)",
	}}
	// A transaction takes the write lock when it begins. Otherwise two transactions that both read first could deadlock.
	q.Set("_txlock", "immediate")
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: file, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	// SQLite has one writer. With one connection nobody waits for the lock of another connection.
	db.SetMaxOpenConns(1)
	var journal string
	var synchronous int
	row := db.QueryRow("SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous")
	if err := row.Scan(&journal, &synchronous); err != nil {
		return nil, err
	}
	if journal != "wal" || synchronous != 2 {
		return nil, fmt.Errorf("SQLite has journal_mode %s and synchronous %d, want wal and 2 (FULL)", journal, synchronous)
	}
	return db, nil
}

// goqiteSystem is goqite with its job runner.
type goqiteSystem struct {
	db        *sql.DB
	queue     *goqite.Queue
	runner    *jobs.Runner
	text      string
	submitted int
	mu        sync.Mutex

	stop    context.CancelFunc
	running sync.WaitGroup
}

func openGoqite(ctx context.Context, o Options) (System, error) {
	db, err := openSQLite(filepath.Join(o.Dir, "goqite.db"))
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, goqiteSchema); err != nil {
		return nil, err
	}
	// A runner without a free slot sleeps for a poll interval. With the default of 100 ms we would measure only that.
	limit, poll := or(o.Slots, 100), time.Millisecond
	s := &goqiteSystem{db: db, text: fmt.Sprintf("%s, %d jobs at once, poll %s", sqliteSettings, limit, poll)}
	s.queue = goqite.New(goqite.NewOpts{DB: db, Name: "jobs"})
	s.runner = jobs.NewRunner(jobs.NewRunnerOpts{Queue: s.queue, Limit: limit, PollInterval: poll})
	s.runner.Register("noop", func(_ context.Context, raw []byte) error {
		var e Email
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		o.Handler(e.N)
		return nil
	})
	return s, nil
}

func (s *goqiteSystem) Submit(ctx context.Context, n int) error {
	_, err := jobs.Create(ctx, s.queue, "noop", goqite.Message{Body: payload(n)})
	s.add(1, err)
	return err
}

// Bulk submits many jobs in one transaction.
func (s *goqiteSystem) Bulk(ctx context.Context, first, count int) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range count {
		if _, err := jobs.CreateTx(ctx, tx, s.queue, "noop", goqite.Message{Body: payload(first + i)}); err != nil {
			return err
		}
	}
	err = tx.Commit()
	s.add(count, err)
	return err
}

func (s *goqiteSystem) add(count int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.submitted += count
	}
}

func (s *goqiteSystem) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(func() { s.runner.Start(ctx) })
	return nil
}

// Completed counts the submitted jobs that are no longer in the table: goqite deletes completed jobs.
func (s *goqiteSystem) Completed(ctx context.Context) (int, error) {
	c, err := s.Count(ctx)
	return c.Completed, err
}

func (s *goqiteSystem) Count(ctx context.Context) (c Count, err error) {
	s.mu.Lock()
	submitted := s.submitted
	s.mu.Unlock()
	err = s.db.QueryRowContext(ctx, `SELECT count(CASE WHEN received = 0 THEN 1 END),
		count(CASE WHEN received = 1 THEN 1 END), count(CASE WHEN received > 1 THEN 1 END) FROM goqite`).
		Scan(&c.Waiting, &c.Running, &c.Failed)
	c.Completed = submitted - c.Waiting - c.Running - c.Failed
	return c, err
}

func (s *goqiteSystem) Settings() string { return s.text }

func (s *goqiteSystem) Close(context.Context) error {
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	return s.db.Close()
}
