package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/windlass-jobs/windlass/jobs"
)

// errInUse is the error of Open if the directory is locked.
var errInUse = errors.New("the directory is in use by another process")

// translate turns SQLite's errors into those of the contract. It is for errors before a commit: the transaction is
// rolled back, so nothing was stored.
func translate(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the upper bits only give details
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", jobs.ErrBusy, err)
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return fmt.Errorf("%w: %w", jobs.ErrRejected, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: the disk is full: %w", jobs.ErrUnavailable, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: the database file is damaged: %w", jobs.ErrUnavailable, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM:
		return fmt.Errorf("%w: the database file cannot be used: %w", jobs.ErrUnavailable, err)
	default:
		return err
	}
}

// translateCommit is translate for a failed commit. If the disk fails while the -wal file is written, it is unknown
// whether the commit survives a crash.
func translateCommit(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_IOERR {
		return fmt.Errorf("%w: %w", jobs.ErrOutcomeUnknown, err)
	}
	return translate(err)
}

// checkText refuses texts that PostgreSQL cannot store. SQLite could, but both drivers accept the same.
func checkText(what string, texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			return fmt.Errorf("%w: %s is not valid UTF-8 without NUL", jobs.ErrRejected, what)
		}
	}
	return nil
}

// checkJSON refuses what is not a JSON document. nil means that there is none, and passes.
func checkJSON(what string, raw json.RawMessage) error {
	if raw != nil && (!utf8.Valid(raw) || !json.Valid(raw)) {
		return fmt.Errorf("%w: %s is not a JSON document", jobs.ErrRejected, what)
	}
	return nil
}
