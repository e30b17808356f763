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

// link is the network between one process and one server: a toxiproxy of its own, so that a fault can meet one process alone.
type link struct {
	name, upstream string
	server         *toxiproxy.ApiServer

	mu     sync.Mutex
	proxy  *toxiproxy.Proxy
	serial int
}

// quiet calls toxiproxy.NewServer with a logger that says nothing, whose type need not be imported for that.
func quiet[Metrics, Logger, Server any](newServer func(Metrics, Logger) Server, metrics Metrics) Server {
	var nowhere Logger
	return newServer(metrics, nowhere)
}

// newLink opens a link to a server's host:port on a free port.
func newLink(name, upstream string) (*link, error) {
	l := &link{name: name, upstream: upstream, server: quiet(toxiproxy.NewServer, toxiproxy.NewMetricsContainer(nil))}
	l.proxy = toxiproxy.NewProxy(l.server, name, "127.0.0.1:0", upstream)
	if err := l.proxy.Start(); err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	return l, nil
}

// through rewrites a server's URL so that it leads through the link.
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

// toxic is a fault of a link, in toxiproxy's words. Downstream is what the server says, upstream what our process says.
type toxic struct {
	kind, stream string
	attributes   map[string]int64
}

// poison adds a toxic; the function that it returns takes it away again.
func (l *link) poison(t toxic) (heal func(), err error) {
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

// renew puts a new proxy in the place of one that hangs; its connections break.
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
