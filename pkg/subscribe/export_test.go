package subscribe

import "time"

// Record is what is read of an entry of a bulk.
type Record struct {
	EntryID, Key string
	Raw          []byte
	Metadata     map[string]string
}

// ReadBulk reads a bulk in one pass, where it is written as the sidecar does it, and
// UnmarshalBulk any.
func ReadBulk(body []byte) ([]Record, bool)      { return recordsOf(readWritten("topic", body)) }
func UnmarshalBulk(body []byte) ([]Record, bool) { return recordsOf(unmarshalBulk("topic", body)) }

func recordsOf(deliveries []delivery, ok bool) ([]Record, bool) {
	records := make([]Record, len(deliveries))
	for i, d := range deliveries {
		records[i] = Record{d.entryID, d.Key, d.raw, d.metadata}
	}
	return records, ok
}

// Waiting is how many deliveries of an InTx topic wait for the transaction that is under way.
func (s *Subscriber) Waiting(topic string) int {
	b := &s.topics[topic].(*inTx).rounds
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// TryTogether sets how long several events of an InTx topic are tried in one transaction.
func (s *Subscriber) TryTogether(topic string, within time.Duration) {
	s.topics[topic].(*inTx).within = within
}
