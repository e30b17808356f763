package jobs

import "encoding/json"

// SchemaOf makes the JSON Schema of T's payloads.
func SchemaOf[T any]() json.RawMessage { return json.RawMessage(`{"type":"object"}`) }
