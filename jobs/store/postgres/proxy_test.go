package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is between a Store and its server, and misbehaves on demand.
type proxy struct {
	server  atomic.Pointer[string] // host:port to which new connections lead, like a name in DNS
	refuse  bool                   // startup parameters that carry our settings, as PgBouncer does
	swallow bool                   // the same, without a word
	cut     atomic.Bool            // hang up instead of handing over the server's next answer
	hold    atomic.Bool            // pass nothing on from now on, in both directions, and take no new connections further

	started atomic.Int32 // connections that were asked for
	open    sync.Map     // net.Conn of both sides
}

// between starts a proxy in front of the server of a URL and returns it with the URL that leads through it.
func between(t testing.TB, target string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	p.lead(u.Host)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		accepting.Wait()
	})
	u.Host = l.Addr().String()
	return p, u.String()
}

// serve handles one connection of a client, until either side hangs up.
func (p *proxy) serve(client net.Conn) {
	p.started.Add(1)
	p.open.Store(client, nil)
	defer client.Close()
	startup, err := p.startup(client)
	if err != nil || startup == nil {
		return
	}
	server, err := net.Dial("tcp", *p.server.Load())
	if err != nil {
		return
	}
	p.open.Store(server, nil)
	defer server.Close()
	if _, err := server.Write(startup); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pass(client, server, false) })
	both.Go(func() { p.pass(server, client, true) })
	both.Wait()
}

// pass copies until an end, then closes both ends.
func (p *proxy) pass(from, to net.Conn, answers bool) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if p.hold.Load() {
			_, _ = io.Copy(io.Discard, from) // until the test ends
			return
		}
		if answers && p.cut.CompareAndSwap(true, false) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// lead has new connections lead to another server. Those that are open stay where they are.
func (p *proxy) lead(addr string) { p.server.Store(&addr) }

// startup reads the client's first message: length, version, then names and values, each ended by a zero byte. It
// returns what to send on, or nil where the client was refused.
func (p *proxy) startup(client net.Conn) ([]byte, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(client, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head)-8)
	if _, err := io.ReadFull(client, body); err != nil {
		return nil, err
	}
	if p.hold.Load() {
		_, err := io.Copy(io.Discard, client)
		return nil, errors.Join(err, net.ErrClosed)
	}
	if !p.refuse && !p.swallow {
		return append(head, body...), nil
	}
	words := bytes.Split(bytes.TrimRight(body, "\x00"), []byte{0})
	var kept []byte
	for i := 0; i+1 < len(words); i += 2 {
		name := string(words[i])
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) ||
			name == "client_encoding" {
			kept = append(append(append(append(kept, words[i]...), 0), words[i+1]...), 0)
			continue
		}
		if p.refuse {
			text := "SFATAL\x00VFATAL\x00C08P01\x00Munsupported startup parameter: " + name + "\x00\x00"
			message := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(text)+4))
			_, err := client.Write(append(message, text...))
			return nil, err
		}
	}
	kept = append(kept, 0)
	binary.BigEndian.PutUint32(head, uint32(len(kept)+8))
	return append(head, kept...), nil
}
