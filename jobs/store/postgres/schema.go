package postgres

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// DefaultSchema is the schema that holds all objects unless Options.Schema names another one.
const DefaultSchema = "windlass"

// schema writes its name into statements. They are written with the default schema, as "windlass.jobs". For another
// schema a text is rewritten when it is first used, and the result is kept. There are few texts: constants, and the
// variants of List.
type schema struct {
	name   string
	prefix string // what replaces "windlass."; empty for the default schema

	mu        sync.RWMutex
	rewritten map[string]string
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func newSchema(name string) (*schema, error) {
	if !schemaName.MatchString(name) || strings.HasPrefix(name, "pg_") || name == "information_schema" {
		return nil, fmt.Errorf("schema %q: it must match %s, and must not be one of PostgreSQL's own", name, schemaName)
	}
	s := &schema{name: name, rewritten: map[string]string{}}
	if name != DefaultSchema {
		s.prefix = s.quoted() + "."
	}
	return s, nil
}

// quoted is the name as an SQL identifier. Names such as "user" and "order" are valid only in quotes.
func (s *schema) quoted() string { return `"` + s.name + `"` }

// in returns a statement with the name of this schema.
func (s *schema) in(sql string) string {
	if s.prefix == "" {
		return sql
	}
	s.mu.RLock()
	text, ok := s.rewritten[sql]
	s.mu.RUnlock()
	if ok {
		return text
	}
	text = s.rewrite(sql)
	s.mu.Lock()
	s.rewritten[sql] = text
	s.mu.Unlock()
	return text
}

// rewrite is in without the map, for texts that are used once.
func (s *schema) rewrite(sql string) string {
	if s.prefix == "" {
		return sql
	}
	return strings.ReplaceAll(sql, DefaultSchema+".", s.prefix)
}
