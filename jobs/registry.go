package jobs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrRegistryFrozen says that a type was added to a registry that a worker uses already. A worker announces its types
// when it starts, so all of them must be added before.
var ErrRegistryFrozen = errors.New("the registry is in use by a worker")

// Registry holds the job types that a process serves, or accepts. The zero value is empty and ready. Several goroutines
// may use it at once. Types may be added while clients use it, but not once a worker does: see Freeze.
type Registry struct {
	mu     sync.Mutex                          // held by whoever adds
	known  atomic.Pointer[map[string]*Handler] // never changed, only replaced: readers take no lock
	frozen bool
}

// Add registers a type that is served. It replaces one of the same name that was only declared. The error says that the
// type has a handler already, that h has no function, or that the registry is frozen (ErrRegistryFrozen).
func (r *Registry) Add(h *Handler) error {
	if h == nil || h.Run == nil {
		return errors.New("a handler without a function was added to the registry")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.Lookup(h.Type.Name)
	switch {
	case r.frozen:
		return fmt.Errorf("type %q: %w", h.Type.Name, ErrRegistryFrozen)
	case old != nil && old.Run != nil:
		return fmt.Errorf("type %q is registered twice", h.Type.Name)
	}
	r.put(h)
	return nil
}

// Declare makes a type known to those who submit, whoever serves it. A type of that name that is known already stays as
// it is. It works on a frozen registry too.
func (r *Registry) Declare(h *Handler) {
	if h == nil || r.Lookup(h.Type.Name) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Lookup(h.Type.Name) == nil {
		declared := *h
		declared.Run = nil
		r.put(&declared)
	}
}

// put replaces the map by one that has h as well. The caller holds the lock.
func (r *Registry) put(h *Handler) {
	known := map[string]*Handler{}
	maps.Copy(known, r.all())
	known[h.Type.Name] = h
	r.known.Store(&known)
}

func (r *Registry) all() map[string]*Handler {
	if known := r.known.Load(); known != nil {
		return *known
	}
	return nil
}

// Freeze makes Add fail from now on. engine.NewWorker calls it.
func (r *Registry) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = true
}

// Lookup returns a type, or nil. Its Run is nil where the type is only declared.
func (r *Registry) Lookup(name string) *Handler { return r.all()[name] }

// Served returns the types that have a function, by name.
func (r *Registry) Served() []*Handler {
	return slices.DeleteFunc(r.sorted(), func(h *Handler) bool { return h.Run == nil })
}

// Types describes all types, the declared ones included, by name.
func (r *Registry) Types() []Type {
	types := []Type{}
	for _, h := range r.sorted() {
		types = append(types, h.Type)
	}
	return types
}

func (r *Registry) sorted() (list []*Handler) {
	all := r.all()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
}
