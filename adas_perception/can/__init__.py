"""The vehicle bus: DBC codec, end-to-end protection, transport."""
