// Package connstring reads the addresses of PostgreSQL and Redis as providers hand them out: with a newline or quotes
// from a file, with parameters for other programs, in the spellings of other languages. The drivers use it, and the
// settings of the services, so that both accept the same.
//
// What it cannot read with certainty it refuses in one sentence. An address holds a password, and where the address is
// torn, the password may stand at any place in it. So no error quotes more of it than names that are known to be names.
package connstring

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// escapes is what to do about a password that does not fit into a URL.
const escapes = "in the password write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %"

var (
	errPostgres = errors.New("must be a URL like postgres://user:password@host:5432/database (" + escapes +
		") or a list like host=… user=… password='…'")
	errRedis = errors.New("must be a URL like redis://user:password@host:6379/0 (" + escapes + ")")
)

// Postgres returns an address of PostgreSQL as pgx reads it, a URL or a list of keyword=value, and the names of the
// parameters that are for other programs and were left out. An empty text is returned as it is. The error goes on from
// the name of the setting, as in "DATABASE_URL must be …", and tells nothing of the password.
func Postgres(text string) (address string, ignored []string, err error) {
	text = tidy(text)
	if inner, ok := strings.CutPrefix(text, "psql "); ok {
		text = tidy(inner) // as the page of a provider shows it
	}
	switch {
	case text == "":
		return "", nil, nil
	case !strings.Contains(text, "://"):
		return keywords(text)
	}
	u, err := url.Parse(text)
	if err != nil || torn(u) || u.Host == "" && u.Path == "" {
		return "", nil, errPostgres
	}
	switch u.Scheme, _, _ = strings.Cut(u.Scheme, "+"); u.Scheme { // postgresql+psycopg2 is SQLAlchemy's
	case "postgres", "postgresql":
	default:
		return "", nil, errPostgres
	}
	given, err := parameters(u.RawQuery)
	if err != nil {
		return "", nil, err
	}
	kept, ignored, err := sortOut(given, postgresNames)
	if err != nil {
		return "", nil, err
	}
	u.RawQuery = join(kept)
	return u.String(), ignored, nil
}

// Redis returns an address of Redis as a URL with the scheme redis, rediss or unix, and the names of the parameters
// that are for other programs and were left out. A user without a password is a password, as redis-cli takes it. For
// the error see Postgres.
func Redis(text string) (u *url.URL, ignored []string, err error) {
	text = tidy(text)
	secure := false
	if words := strings.Fields(text); len(words) > 1 && words[0] == "redis-cli" { // as the page of a provider shows it
		secure = slices.Contains(words, "--tls")
		text = tidy(words[len(words)-1])
	}
	u, err = url.Parse(text)
	if err != nil || torn(u) || u.Host == "" && u.Path == "" {
		return nil, nil, errRedis
	}
	switch u.Scheme {
	case "redis", "valkey":
		u.Scheme = "redis"
	case "rediss", "valkeys", "redis+tls", "redis+ssl", "valkey+tls", "valkey+ssl":
		u.Scheme = "rediss"
	case "unix":
	default:
		return nil, nil, errRedis
	}
	if strings.Contains(u.Host, ",") {
		return nil, nil, errors.New("names several hosts: further ones go into the parameter addr")
	}
	if _, has := u.User.Password(); u.User != nil && !has {
		u.User = url.UserPassword("", u.User.Username())
	}
	given, err := parameters(u.RawQuery)
	if err != nil {
		return nil, nil, err
	}
	kept, ignored, err := sortOut(given, redisNames)
	if err != nil {
		return nil, nil, err
	}
	rest := kept[:0]
	for _, p := range kept {
		if p.name == "ssl" || p.name == "tls" {
			secure = secure || on(p.value)
			continue
		}
		if !slices.Contains(redisNames.known, p.name) {
			return nil, nil, fmt.Errorf("has the parameter %s, which is unknown", p.name)
		}
		rest = append(rest, p)
	}
	if secure && u.Scheme == "redis" {
		u.Scheme = "rediss"
	}
	u.RawQuery = join(rest)
	return u, ignored, nil
}

// tidy takes away what comes with a text that was pasted, or read from a file: spaces, newlines and quotes.
func tidy(s string) string {
	s = strings.TrimSpace(strings.TrimPrefix(s, "\ufeff"))
	for _, quote := range []string{`"`, "'"} {
		if inner, ok := strings.CutPrefix(s, quote); ok && strings.HasSuffix(inner, quote) {
			return tidy(strings.TrimSuffix(inner, quote))
		}
	}
	return s
}

// torn reports that a password with a slash, a question mark or a hash sign in it has been taken for the end of the
// host: an @ stands behind what looks like the host. Nothing of such a URL may be used or shown, for the host is part
// of the password.
func torn(u *url.URL) bool {
	return u.Opaque != "" || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@")
}

// parameter is a part of a query, or a keyword with its value. raw is how it is written.
type parameter struct{ name, value, raw string }

// parameters splits a query. Those without a value are left out, as libpq does it.
func parameters(query string) (list []parameter, err error) {
	for raw := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(raw, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		switch {
		case err1 != nil || err2 != nil || strings.Contains(raw, ";"):
			return nil, errors.New("has a parameter that cannot be read: behind the question mark write " +
				"%25 for %, %26 for & and %3B for ;")
		case name != "" && value != "":
			list = append(list, parameter{name, value, raw})
		}
	}
	return list, nil
}

func join(list []parameter) string {
	raw := make([]string, len(list))
	for i, p := range list {
		raw[i] = p.raw
	}
	return strings.Join(raw, "&")
}

// sortOut parts the parameters that are kept from those that are for other programs.
//
// What follows a password may be the rest of one that was not escaped. There, nothing is taken for a name but what is
// known to be one.
func sortOut(given []parameter, names names) (kept []parameter, ignored []string, err error) {
	has := func(name string) bool {
		return slices.ContainsFunc(given, func(p parameter) bool { return p.name == name })
	}
	behind := false
	for _, p := range given {
		foreign := slices.Contains(names.foreign, p.name)
		switch {
		case behind && !foreign && !slices.Contains(names.known, p.name):
			return nil, nil, errors.New("has something behind the password that is no parameter: " +
				"in a password write %26 for &, and put one that is not part of a URL into quotes")
		case foreign:
			ignored = append(ignored, p.name)
		case names.ssl != "" && p.name == "ssl":
			if on(p.value) && !has(names.ssl) {
				kept = append(kept, parameter{names.ssl, "require", names.ssl + names.written})
			}
		default:
			kept = append(kept, p)
		}
		behind = behind || slices.Contains(secrets, p.name)
	}
	return kept, ignored, nil
}

func on(value string) bool {
	return slices.Contains([]string{"true", "1", "yes", "on", "require", "required"}, strings.ToLower(value))
}

// keywords reads a list of keyword=value, by libpq's rules: a value with spaces is in single quotes, and a backslash
// stands before a quote or a backslash.
func keywords(text string) (address string, ignored []string, err error) {
	var given []parameter
	quoted := true // the last password was in quotes
	for rest := text; ; {
		if rest = strings.TrimLeft(rest, " \t\r\n"); rest == "" {
			break
		}
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n'\"\\/@:") {
			return "", nil, errPostgres
		}
		after = strings.TrimLeft(after, " \t\r\n")
		var value strings.Builder
		inQuotes := strings.HasPrefix(after, "'")
		i, closed := 0, !inQuotes
		if inQuotes {
			i = 1
		}
	scan:
		for ; i < len(after); i++ {
			switch b := after[i]; {
			case b == '\\' && i+1 < len(after):
				i++
				value.WriteByte(after[i])
			case b == '\'' && inQuotes:
				closed = true
				i++
				break scan
			case !inQuotes && strings.IndexByte(" \t\r\n", b) >= 0:
				break scan
			default:
				value.WriteByte(b)
			}
		}
		if !closed {
			return "", nil, errPostgres
		}
		rest = after[i:]
		if value.Len() == 0 {
			continue // as if it was not there
		}
		v := value.String()
		escaped := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v)
		given = append(given, parameter{name, v, name + "='" + escaped + "'"})
		if slices.Contains(secrets, name) {
			quoted = quoted && inQuotes
		}
	}
	names := postgresNames
	names.written = "='require'"
	if quoted {
		names.known = append(slices.Clone(names.known), namesOf(given)...) // so nothing is the rest of a password
	}
	kept, ignored, err := sortOut(given, names)
	if err != nil {
		return "", nil, err
	}
	raw := make([]string, len(kept))
	for i, p := range kept {
		raw[i] = p.raw
	}
	return strings.Join(raw, " "), ignored, nil
}

func namesOf(list []parameter) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.name
	}
	return names
}

// Masked returns an address that may be shown: without its passwords. What cannot be read as a URL is not shown at all.
// A user without a password is a name for PostgreSQL, and is shown; for Redis it is a password, and is not. Of the
// parameters only those are shown that are known to hold no secret: others may be one in another spelling, as in
// Password=…, or the rest of a password that was not escaped.
func Masked(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || torn(u) {
		return "***"
	}
	_, has := u.User.Password()
	postgres, known := strings.HasPrefix(u.Scheme, "postgres"), redisNames.known
	if postgres {
		known = postgresNames.known
	}
	switch {
	case has:
		u.User = url.UserPassword(u.User.Username(), "***")
	case u.User != nil && !postgres:
		u.User = url.User("***")
	}
	query := u.Query()
	for name := range query {
		if slices.Contains(secrets, name) || !slices.Contains(known, name) {
			query.Set(name, "***")
		}
	}
	u.RawQuery = query.Encode()
	// The mask itself needs no escaping, and is easier to read without.
	return strings.ReplaceAll(u.String(), "%2A%2A%2A", "***")
}
