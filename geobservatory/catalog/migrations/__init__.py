"""The steps by which a catalogue of any age becomes today's."""
