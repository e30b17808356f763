package storecmd

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/version"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Options of Export and Import. All but Progress are needed; Stdin only by Import, Stdout only by Export.
type Options struct {
	Getenv   func(string) string
	File     string // "-" is a stream
	Stdin    io.Reader
	Stdout   io.Writer
	Warn     func(sentence string)  // tells a person what to mind
	Progress func(done, jobs int64) // is called after each job, of about so many
}

// Moved is what an export or an import has done.
type Moved struct {
	Jobs  int64 `json:"jobs"`
	Types int64 `json:"types"`
	Keys  int64 `json:"keys"`
	Same  int64 `json:"there_already"` // records that an import found there

	Store    string `json:"store"`
	Export   bool   `json:"-"`
	ToStdout bool   `json:"-"` // the standard output has the export
}

// String is the result for people.
func (m *Moved) String() string {
	verb, to := "imported", "into"
	if m.Export {
		verb, to = "exported", "from"
	}
	text := fmt.Sprintf("%s %d %s, %d job %s and %d idempotency %s %s %s",
		verb, m.Jobs, plural(m.Jobs, "job"), m.Types, plural(m.Types, "type"), m.Keys, plural(m.Keys, "key"), to, m.Store)
	if m.Same > 0 {
		text += fmt.Sprintf("; %d %s there already", m.Same, wereOf(m.Same))
	}
	return text
}

// Export writes all that belongs to jobs into a file. A file that is there is not replaced.
func Export(ctx context.Context, o Options) (moved *Moved, err error) {
	s, err := open(ctx, o.Getenv, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	const twice = "are exported as running, and would run a second time where they are imported"
	if err := warnOfSessions(ctx, s, o.Warn, twice); err != nil {
		return nil, err
	}
	stats, err := s.store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	out, finish, err := create(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ended := finish(err == nil); ended != nil {
			moved, err = nil, errors.Join(err, ended)
		}
	}()
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	now := time.Now().UTC().Truncate(time.Second)
	if err := lines.Encode(header{kindHeader, formatVersion, version.Version(), s.driver, now, stats.Total}); err != nil {
		return nil, err
	}
	end := totals{Kind: kindEnd}
	err = s.store.Export(ctx, func(r store.Record) error {
		end.count(r.Kind)
		if o.Progress != nil && r.Kind == store.RecordJob {
			o.Progress(end.Jobs, stats.Total)
		}
		return lines.Encode(r)
	})
	if err != nil {
		return nil, err
	}
	if err := lines.Encode(end); err != nil {
		return nil, err
	}
	return &Moved{
		Jobs: end.Jobs, Types: end.Types, Keys: end.Keys, Store: s.name, Export: true, ToStdout: o.File == "-",
	}, nil
}

// create opens what Export writes to. finish ends it, and takes away what is not whole.
func create(o Options) (out io.Writer, finish func(whole bool) error, err error) {
	if o.File == "-" {
		buffered := bufio.NewWriterSize(o.Stdout, 1<<16)
		return buffered, func(bool) error { return buffered.Flush() }, nil
	}
	if _, err := os.Lstat(o.File); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("the file %s is there already: choose another name", o.File)
	}
	// Nobody takes a file that is not whole for one that is. Payloads are nobody else's business.
	file, err := os.OpenFile(o.File+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewWriterSize(file, 1<<16)
	out = buffered
	var packed *gzip.Writer
	if strings.HasSuffix(o.File, ".gz") {
		packed = gzip.NewWriter(buffered)
		packed.Name = strings.TrimSuffix(filepath.Base(o.File), ".gz")
		out = packed
	}
	return out, func(whole bool) error {
		var errs []error
		if packed != nil {
			errs = append(errs, packed.Close())
		}
		errs = append(errs, buffered.Flush(), file.Sync(), file.Close())
		if err := errors.Join(errs...); err != nil || !whole {
			return errors.Join(err, os.Remove(file.Name()))
		}
		return os.Rename(file.Name(), o.File)
	}, nil
}

// Import stores what a file has.
func Import(ctx context.Context, o Options) (*Moved, error) {
	in := o.Stdin
	if o.File != "-" {
		file, err := os.Open(o.File)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	// A file that is none of ours is refused before anything is opened, or made.
	lines, err := newReader(in)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, o.Getenv, true)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.driver == "sqlite" || s.config.AutoMigrate {
		if err := s.store.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.store.Ping(ctx); err != nil {
		return nil, err
	}
	const change = "change while they arrive; an import that is repeated then refuses them"
	if err := warnOfSessions(ctx, s, o.Warn, change); err != nil {
		return nil, err
	}
	done, err := s.store.Import(ctx, func(yield func(store.Record, error) bool) {
		for r, err := range lines.records() {
			if o.Progress != nil && r.Kind == store.RecordJob {
				o.Progress(lines.counts.Jobs, lines.head.Jobs)
			}
			// Between two batches, so that what is stored is whole.
			if err == nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(r, err) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return &Moved{Jobs: done.Jobs, Types: done.Types, Keys: done.Keys, Same: done.Same, Store: s.name}, nil
}

// ready refuses a database without tables, in words.
func (s *opened) ready(ctx context.Context) error {
	state, err := s.store.Status(ctx)
	if err == nil && len(state.Applied) == 0 {
		err = fmt.Errorf("%s has no tables of Windlass: check DATABASE_URL and DATABASE_SCHEMA", s.name)
	}
	return err
}

// warnOfSessions tells that processes work while records are moved.
func warnOfSessions(ctx context.Context, s *opened, warn func(string), harm string) error {
	sessions, err := s.store.Sessions(ctx)
	if err != nil {
		return err
	}
	alive := 0
	for _, w := range sessions {
		if w.ExpiresAt.After(time.Now()) {
			alive++
		}
	}
	if alive > 0 {
		warn(fmt.Sprintf("Warning: %s is in use by %d %s. Jobs that run meanwhile %s. Stop api and workers first.",
			s.name, alive, plural(alive, "worker"), harm))
	}
	return nil
}

func plural[T int | int64](n T, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
