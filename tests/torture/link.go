package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
)

// link is the network between one process and one server. Each link has its own toxiproxy, so that a fault can affect
// one process only.
type link struct {
	name, upstream string
	server         *toxiproxy.ApiServer

	mu     sync.Mutex
	proxy  *toxiproxy.Proxy
	serial int
}

// withoutLog calls toxiproxy.NewServer with a logger that writes nothing. As a generic function it need not import the
// package of the logger.
func withoutLog[Metrics, Logger, Server any](newServer func(Metrics, Logger) Server, metrics Metrics) Server {
	var discard Logger
	return newServer(metrics, discard)
}

// newLink opens a link to a server's host:port on a free port.
func newLink(name, upstream string) (*link, error) {
	server := withoutLog(toxiproxy.NewServer, toxiproxy.NewMetricsContainer(nil))
	l := &link{name: name, upstream: upstream, server: server}
	l.proxy = toxiproxy.NewProxy(l.server, name, "127.0.0.1:0", upstream)
	if err := l.proxy.Start(); err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	return l, nil
}

// through returns a server's URL with the address of the link.
func (l *link) through(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u.Host = l.proxy.Listen
	return u.String(), nil
}

// toxic is a fault of a link, in toxiproxy's words. Downstream is from the server to our process, upstream the
// opposite.
type toxic struct {
	kind, stream string
	attributes   map[string]int64
}

// addToxic adds a toxic. heal removes it.
func (l *link) addToxic(t toxic) (heal func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	name := fmt.Sprintf("%s-%d", t.kind, l.serial)
	raw, err := json.Marshal(map[string]any{
		"name": name, "type": t.kind, "stream": t.stream, "toxicity": 1.0, "attributes": t.attributes,
	})
	if err != nil {
		return nil, err
	}
	proxy := l.proxy
	if _, err := proxy.Toxics.AddToxicJson(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("link %s: %w", l.name, err)
	}
	return func() {
		removed := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			removed <- proxy.Toxics.RemoveToxic(ctx, name)
		}()
		select {
		case err := <-removed:
			if err == nil {
				return
			}
		case <-time.After(3 * time.Second):
		}
		l.renew(proxy)
	}, nil
}

// renew replaces a proxy that hangs. Its connections are closed.
func (l *link) renew(old *toxiproxy.Proxy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.proxy != old {
		return
	}
	old.Stop()
	fresh := toxiproxy.NewProxy(l.server, l.name, old.Listen, l.upstream)
	if fresh.Start() == nil {
		l.proxy = fresh
	}
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proxy.Stop()
}
