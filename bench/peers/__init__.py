"""Other servers, measured side by side with ours: installed, configured, started and stopped."""
