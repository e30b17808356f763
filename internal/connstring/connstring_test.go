package connstring_test

import (
	"testing"

	"github.com/windlass-jobs/windlass/internal/connstring"
)

func TestMasked(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "",
		"redis://cache:6379/0":                  "redis://cache:6379/0",
		"redis://me:p%40ss@cache":               "redis://me:***@cache",
		"host=db password=hush":                 "***",
		"postgres://u:a:b@db/w":                 "postgres://u:***@db/w",
		"redis://c/0?sentinel_password=hush":    "redis://c/0?sentinel_password=***",
		"postgres://db/w?password=a&b=%26&c=1":  "postgres://db/w?b=***&c=***&password=***",
		"postgres://u@db/w?Password=hush":       "postgres://u@db/w?Password=***",
		"postgres://db/w?sslmode=require&pwd=x": "postgres://db/w?pwd=***&sslmode=require",
		"redis://c/0?PASSWORD=hush&protocol=3":  "redis://c/0?PASSWORD=***&protocol=3",
		"postgres://u:%zz@db":                   "***",
		"postgres://app@db/w":                   "postgres://app@db/w",
		"redis://hush@cache":                    "redis://***@cache",
		"valkeys://hush@cache:6379/0":           "valkeys://***@cache:6379/0",
		"redis:hush":                            "***",
		"postgres://u:hu/sh@db/w":               "***",
		"postgres://u:12?hush@db":               "***",
		"redis://:12#hush@cache":                "***",
	} {
		if got := connstring.Masked(in); got != want {
			t.Errorf("Masked(%q) = %q, want %q", in, got, want)
		}
	}
}

// The rest of a list of keywords is as it was: spaces, quotes and backslashes are in the value.
func TestKeywordsKeepTheirValues(t *testing.T) {
	for in, want := range map[string]string{
		`host=db password='a b\'c\\d' dbname = w`: `host='db' password='a b\'c\\d' dbname='w'`,
		`host=db gssencmode=disable sslmode=`:     `host='db'`,
		`host=db ssl=true`:                        `host='db' sslmode='require'`,
		`host=db user=o\'neill`:                   `host='db' user='o\'neill'`,
	} {
		if got, _, err := connstring.Postgres(in); err != nil || got != want {
			t.Errorf("%s: %s, error %v, want %s", in, got, err, want)
		}
	}
}
