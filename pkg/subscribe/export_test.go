package subscribe

// Waiting is how many deliveries of an InTx topic wait for the transaction that is under way.
func (s *Subscriber) Waiting(topic string) int {
	b := &s.topics[topic].(*inTx).rounds
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}
