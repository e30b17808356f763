package settings

import (
	"net/url"
	"slices"
	"strings"
)

// escapes is what to do about a password that does not fit into a URL.
const escapes = "in the password write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %"

// tidyURL takes away what comes with a URL that was pasted, or read from a file: a newline at the end, and quotes.
func tidyURL(s string) string {
	s = strings.TrimSpace(s)
	for _, quote := range []string{`"`, "'"} {
		if inner, ok := strings.CutPrefix(s, quote); ok && strings.HasSuffix(inner, quote) {
			return strings.TrimSpace(strings.TrimSuffix(inner, quote))
		}
	}
	return s
}

// foreignParams are parameters that providers and other programs put into the URL of a database (Prisma, libpq). pgx
// would send them to the server, which refuses a connection with a setting that it does not know.
var foreignParams = []string{
	"pgbouncer", "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "schema",
	"gssencmode", "gsslib", "gssdelegation", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"tcp_user_timeout", "load_balance_hosts", "sslcompression", "sslcrl", "sslcrldir", "ssl_min_protocol_version",
	"ssl_max_protocol_version", "requirepeer", "replication",
}

// withoutForeign removes the foreign parameters from a URL and returns their names.
func withoutForeign(text string) (rest string, ignored []string) {
	u, err := url.Parse(text)
	if err != nil || u.RawQuery == "" || torn(u) {
		return text, nil
	}
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if slices.Contains(foreignParams, name) {
			ignored = append(ignored, name)
		} else {
			kept = append(kept, part)
		}
	}
	if len(ignored) == 0 {
		return text, nil
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String(), ignored
}

// scheme reports whether a text is a URL with one of these schemes.
func scheme(text string, allowed ...string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Host != "" || u.Path != "") && !torn(u) && slices.Contains(allowed, u.Scheme)
}

// torn reports that a password with a slash, a question mark or a hash sign in it has been taken for the end of the
// host: an @ stands behind what looks like the host. Nothing of such a URL may be used or shown, for the host is part
// of the password.
func torn(u *url.URL) bool { return strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") }

// secretParams are parts of a URL's query that must not be seen.
var secretParams = []string{"password", "sslpassword", "sentinel_password", "passfile"}

// Masked returns a URL that may be shown: without its passwords. What cannot be read as a URL is not shown at all. A
// user without a password is a name for PostgreSQL, and is shown; for Redis it is most likely a password in the wrong
// place, and is not.
func Masked(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Opaque != "" || torn(u) {
		return "***"
	}
	_, has := u.User.Password()
	switch postgres := strings.HasPrefix(u.Scheme, "postgres"); {
	case has:
		u.User = url.UserPassword(u.User.Username(), "***")
	case u.User != nil && !postgres:
		u.User = url.User("***")
	}
	query := u.Query()
	for _, name := range secretParams {
		if query.Has(name) {
			query.Set(name, "***")
		}
	}
	u.RawQuery = query.Encode()
	// The mask itself needs no escaping, and is easier to read without.
	return strings.ReplaceAll(u.String(), "%2A%2A%2A", "***")
}
