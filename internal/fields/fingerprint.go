package fields

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/windlass-jobs/windlass/jobs"
)

// Fingerprint tells a repeated submission from another one with the same idempotency key. Add the jobs as they were
// given, in their order, with payloads in canonical form and nothing else filled in.
type Fingerprint struct{ hash hash.Hash }

// NewFingerprint returns a Fingerprint of no jobs. Submissions of different kinds have different fingerprints,
// whatever they hold.
func NewFingerprint(kind string) *Fingerprint {
	p := &Fingerprint{sha256.New()}
	p.write("", []byte(kind))
	return p
}

// Add adds a job. Its id does not count, nor do fields that are Unkeyed.
func (p *Fingerprint) Add(n *jobs.New) {
	for i := range Submission {
		f := &Submission[i]
		if f.Unkeyed || !f.Given(n) {
			continue
		}
		switch {
		case f.Text != nil:
			p.write(f.Name, []byte(*f.Text(n)))
		case f.Whole != nil:
			p.number(f.Name, int64(*f.Whole(n)))
		case f.Span != nil:
			p.number(f.Name, int64(*f.Span(n)))
		case f.Moment != nil:
			p.number(f.Name, f.Moment(n).UnixMicro())
		case f.Pairs != nil:
			p.write(f.Name, []byte(EncodePairs(*f.Pairs(n))))
		default:
			p.write(f.Name, *f.Object(n))
		}
	}
	p.write("", nil) // the end of a job
}

// Sum returns the fingerprint.
func (p *Fingerprint) Sum() (sum [32]byte) {
	p.hash.Sum(sum[:0])
	return sum
}

func (p *Fingerprint) number(name string, v int64) {
	p.write(name, binary.BigEndian.AppendUint64(nil, uint64(v)))
}

// write adds a name and a value with their lengths, so that no two different lists of fields look alike.
func (p *Fingerprint) write(name string, value []byte) {
	var head [16]byte
	binary.BigEndian.PutUint64(head[:8], uint64(len(name)))
	binary.BigEndian.PutUint64(head[8:], uint64(len(value)))
	_, _ = p.hash.Write(head[:])
	_, _ = p.hash.Write([]byte(name))
	_, _ = p.hash.Write(value)
}
