package event

// Encoded reads an event without the SDK, where it is written as Encode does it.
var Encoded = encoded
